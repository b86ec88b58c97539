// Lookups: the lanes of a row copy it in chunks of 16 bytes, or of one number where 16 bytes do not fit.

extern "C" __global__ void gather_rows(
    const Chunk *__restrict__ table, const Index *__restrict__ ids, Chunk *__restrict__ out, long long count,
    long long input_dim, long long width, unsigned long long *bad)
{
    ROW_LOOP(position, count) {
        long long row = ids[position];
        if (row < 0 || row >= input_dim) {
            flag_position(bad, position);
            continue;
        }
        COLUMN_LOOP(column, width)
            out[position * width + column] = table[row * width + column];
    }
}
