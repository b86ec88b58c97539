// Lookups of rows that are up to date. A row of lanes owns a bag, or the product of a position.

struct StillRows {
    const Value *table;
    long long columns;

    __device__ const Value *find(long long row) const
    {
        return table + row * columns;
    }
};

extern "C" __global__ void gather_bags(
    const Value *table, long long columns, const Index *ids, long long input_dim, const long long *offsets,
    const Value *scales, int divide_by, Value *out, Value *divisors, long long count, unsigned long long *bad)
{
    Bags bags = {ids, input_dim, offsets, scales, columns, bad};
    StillRows rows = {table, columns};
    ROW_LOOP(bag, count)
        sum_bag(rows, bags, bag, divide_by, out, divisors);
}

extern "C" __global__ void gather_max(
    const Value *table, long long columns, const Index *ids, long long input_dim, const long long *offsets,
    const Value *scales, Value sign, Value *out, int *argmax, long long count, unsigned long long *bad)
{
    Bags bags = {ids, input_dim, offsets, scales, columns, bad};
    StillRows rows = {table, columns};
    ROW_LOOP(bag, count)
        find_max(rows, bags, bag, sign, out, argmax);
}

extern "C" __global__ void dot_rows(
    const Value *table, long long columns, const Index *ids, long long input_dim, const Value *values,
    const long long *sources, const int *argmax, const int *bag_positions, Value *out, long long count,
    unsigned long long *bad)
{
    Gradient gradient = {0, count, values, sources, 0, argmax, bag_positions, columns};
    StillRows rows = {table, columns};
    ROW_LOOP(position, count)
        dot_row(rows, ids, input_dim, gradient, position, out, bad);
}
