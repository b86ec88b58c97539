// Updates in exact mode: the idle steps of a row and its new one, in one pass.

// A row of lanes for every key: that of the first key of an id owns the table's row, slots and last step.
extern "C" __global__ void update_idle_rows(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved,
    const unsigned long long *keys, long long count, const Value *values, const long long *sources,
    const Value *scales, const int *argmax, const int *bag_positions, const Value *pieces, long long piece, Value decay_factor,
    Value number_0, Value number_1, Value number_2, Value number_3, Value number_4, Value number_5)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    Gradient gradient = {keys, count, values, sources, scales, argmax, bag_positions, columns};
    Value numbers[] = {number_0, number_1, number_2, number_3, number_4, number_5};
    ROW_LOOP(index, count) {
        if (is_alike(gradient, index - 1, index))
            continue;
        long long row = key_id(keys[index]);
        State state = arrays.row(row, decay_factor);
        int last = shared_last_step(idle, row);
        if (last >= 0 && last < now)
            catch_up(state, idle, last, moved + own_index() * columns);
        UPDATE_ROW(state, segment_at(gradient, index, pieces, piece), numbers);
        if (threadIdx.x == 0)
            last_steps[row] = (int)now + 1;
    }
}

// Brings all rows up to date; each belongs to one row of lanes.
extern "C" __global__ void finish_rows(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, int *last_steps, const double *series,
    long long series_columns, long long base, long long now, double shrink, double constant_0, double constant_1,
    double constant_2, double constant_3, double constant_4, double constant_5, Value *moved, long long count)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Idle idle = {last_steps, {series, series_columns}, base, now, shrink,
                 {constant_0, constant_1, constant_2, constant_3, constant_4, constant_5}};
    ROW_LOOP(row, count) {
        int last = shared_last_step(idle, row);
        if (last < 0 || last >= now)
            continue;
        catch_up(arrays.row(row, (Value)1), idle, last, moved + own_index() * columns);
        if (threadIdx.x == 0)
            last_steps[row] = (int)now;
    }
}
