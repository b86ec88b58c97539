// Adagrad, with one accumulator per element or per row.

template <class Source>
__device__ void update_row_adagrad(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], epsilon = numbers[1];
    Value *accumulator = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value grown = accumulator[column] + part * part;
        accumulator[column] = grown;
        state.set_weight(column, state.weight(column) - rate * part / sqrt(grown + epsilon));
    }
}

// The first lane owns the accumulator of the row.
template <class Source>
__device__ void update_row_rowwise_adagrad(const State &state, const Source &gradient, const Value *numbers)
{
    Value grown = mean_square(gradient, state.columns);
    if (threadIdx.x == 0) {
        grown += state.slots[0][0];
        state.slots[0][0] = grown;
    }
    Value rate = numbers[0] / (sqrt(share_first(grown)) + numbers[1]);
    COLUMN_LOOP(column, state.columns)
        state.set_weight(column, state.weight(column) - rate * gradient.at(column));
}
