// Grouping of ids: keys for the sort, and sums over the keys of an id.

// One thread writes one key.
extern "C" __global__ void pack_keys(
    const Index *__restrict__ ids, unsigned long long *__restrict__ keys, long long count, long long input_dim,
    unsigned long long *bad)
{
    ROW_LOOP(position, count) {
        long long row = ids[position];
        if (row < 0 || row >= input_dim)
            flag_position(bad, position);
        else
            keys[position] = (unsigned long long)row << 32 | (unsigned long long)position;
    }
}
