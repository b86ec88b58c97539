// Lookups in exact mode: idle rows are brought up to date on the way to the output, and nothing else is written.

struct MovingRows {
    Arrays arrays;
    Idle idle;
    Value *moved;

    // The row as it is now: its place in the table, or `moved`.
    __device__ const Value *find(long long row) const
    {
        int last = idle.last_steps[row];
        if (last < 0 || last >= idle.now)
            return arrays.table + row * arrays.columns;
        move_row(arrays.row(row, (Value)1), idle, idle.gap(last), moved);
        return moved;
    }
};

extern "C" __global__ void gather_idle_rows(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved, const Index *ids,
    long long input_dim, Value *out, long long count, unsigned long long *bad)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    ROW_LOOP(position, count) {
        long long row = ids[position];
        if (row < 0 || row >= input_dim) {
            flag_position(bad, position);
            continue;
        }
        Value *target = out + position * columns;
        MovingRows rows = {arrays, idle, target};
        const Value *found = rows.find(row);
        if (found != target)
            COLUMN_LOOP(column, columns)
                target[column] = found[column];
    }
}

extern "C" __global__ void gather_idle_bags(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved, const Index *ids,
    long long input_dim, const long long *offsets, const Value *scales, int divide_by, Value *out, Value *divisors,
    long long count, unsigned long long *bad)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    Bags bags = {ids, input_dim, offsets, scales, columns, bad};
    ROW_LOOP(bag, count) {
        MovingRows rows = {arrays, idle, moved + own_index() * columns};
        sum_bag(rows, bags, bag, divide_by, out, divisors);
    }
}

extern "C" __global__ void gather_idle_max(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved, const Index *ids,
    long long input_dim, const long long *offsets, const Value *scales, Value sign, Value *out, int *argmax,
    long long count, unsigned long long *bad)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    Bags bags = {ids, input_dim, offsets, scales, columns, bad};
    ROW_LOOP(bag, count) {
        MovingRows rows = {arrays, idle, moved + own_index() * columns};
        find_max(rows, bags, bag, sign, out, argmax);
    }
}

extern "C" __global__ void dot_idle_rows(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved, const Index *ids,
    long long input_dim, const Value *values, const long long *sources, const int *argmax, const int *bag_positions,
    Value *out, long long count, unsigned long long *bad)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    Gradient gradient = {0, count, values, sources, 0, argmax, bag_positions, columns};
    ROW_LOOP(position, count) {
        MovingRows rows = {arrays, idle, moved + own_index() * columns};
        dot_row(rows, ids, input_dim, gradient, position, out, bad);
    }
}
