// The directory of a row cache. A set has as many locations as a warp has lanes, so a row of lanes reads it at once.

// The upper half of a product with 2^64 over the golden ratio, scaled to the number of sets.
__device__ long long find_set(long long row, long long sets)
{
    unsigned long long spread = (unsigned long long)row * 0x9E3779B97F4A7C15ull >> 32;
    return (long long)(spread * (unsigned long long)sets >> 32);
}

// The lanes of a row own a position. An id is in one location at most, so the sum over the lanes is that location.
extern "C" __global__ void find_locations(
    const long long *__restrict__ tags, long long sets, long long ways, const Index *__restrict__ ids,
    long long *__restrict__ locations, long long count, long long input_dim, unsigned long long *bad)
{
    ROW_LOOP(position, count) {
        long long row = ids[position];
        if (row < 0 || row >= input_dim) {
            flag_position(bad, position);
            continue;
        }
        long long set = find_set(row, sets), found = 0;
        COLUMN_LOOP(way, ways)
            if (tags[set * ways + way] == row)
                found = way + 1;
        found = sum_lanes(found);
        if (threadIdx.x == 0)
            locations[position] = found ? set * ways + found - 1 : -1 - set;
    }
}

// One thread stamps one location. Ids of one row write the same stamp, or count in any order to the same number.
extern "C" __global__ void stamp_locations(
    const long long *__restrict__ locations, unsigned long long *stamps, long long count, long long tick)
{
    ROW_LOOP(position, count) {
        if (locations[position] < 0 || threadIdx.x != 0)
            continue;
        if (tick < 0)
            atomicAdd(stamps + locations[position], 1ull);
        else
            atomicExch(stamps + locations[position], (unsigned long long)tick);
    }
}
