// The loops of a training step around an optimizer's row function, UPDATE_ROW.

// A table with its slots; those that a rule has not are null.
struct Arrays {
    Value *table;
    Value *slots[MOST_SLOTS];
    long long widths[MOST_SLOTS];
    const Value *factors;
    long long columns;

    __device__ State row(long long row, Value decay_factor) const
    {
        State state = {table + row * columns, {}, {}, columns, decay_factor, factors ? factors[row] : (Value)1};
        for (int slot = 0; slot < MOST_SLOTS; ++slot) {
            state.slots[slot] = slots[slot] ? slots[slot] + row * widths[slot] : 0;
            state.widths[slot] = widths[slot];
        }
        return state;
    }
};

// The segment that begins at a key; one that is longer than a piece has its pieces summed.
__device__ Segment segment_at(const Gradient &gradient, long long index, const Value *pieces, long long piece)
{
    bool is_long = is_alike(gradient, index, index + piece);
    return {&gradient, index, end_segment(gradient, index), is_long ? pieces : 0, piece};
}

// A row of lanes for every key: that of the first key of an id owns the table's row.
extern "C" __global__ void update_rows(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, const Value *factors, long long columns, const unsigned long long *keys, long long count,
    const Value *values, const long long *sources, const Value *scales, const int *argmax, const int *bag_positions,
    const Value *pieces, long long piece, Value decay_factor, Value number_0, Value number_1, Value number_2,
    Value number_3, Value number_4, Value number_5)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, factors, columns};
    Gradient gradient = {keys, count, values, sources, scales, argmax, bag_positions, columns};
    Value numbers[] = {number_0, number_1, number_2, number_3, number_4, number_5};
    ROW_LOOP(index, count) {
        if (is_alike(gradient, index - 1, index))
            continue;
        State state = arrays.row(key_id(keys[index]), decay_factor);
        UPDATE_ROW(state, segment_at(gradient, index, pieces, piece), numbers);
    }
}

// Row r has the gradient `values[r]`.
extern "C" __global__ void update_dense(
    Value *table, Value *slot_0, Value *slot_1, Value *slot_2, long long width_0, long long width_1,
    long long width_2, long long columns, const Value *values, long long count, Value decay_factor, Value number_0,
    Value number_1, Value number_2, Value number_3, Value number_4, Value number_5)
{
    Arrays arrays = {table, {slot_0, slot_1, slot_2}, {width_0, width_1, width_2}, 0, columns};
    Value numbers[] = {number_0, number_1, number_2, number_3, number_4, number_5};
    ROW_LOOP(row, count) {
        Vector gradient = {values + row * columns};
        UPDATE_ROW(arrays.row(row, decay_factor), gradient, numbers);
    }
}
