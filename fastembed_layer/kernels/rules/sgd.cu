// Gradient descent, also with momentum and with Nesterov's.

template <class Source>
__device__ void update_row_sgd(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0];
    COLUMN_LOOP(column, state.columns)
        state.set_weight(column, state.weight(column) - rate * gradient.at(column));
}

template <class Source>
__device__ void update_row_momentum(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], momentum = numbers[1];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value moved = momentum * velocity[column] - rate * gradient.at(column);
        velocity[column] = moved;
        state.set_weight(column, state.weight(column) + moved);
    }
}

template <class Source>
__device__ void update_row_nesterov(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], momentum = numbers[1];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value moved = momentum * velocity[column] - rate * part;
        velocity[column] = moved;
        state.set_weight(column, state.weight(column) + (momentum * moved - rate * part));
    }
}

__device__ void move_idle_momentum(const State &state, Value *target, const Gap &gap, const Series &series,
                                   const double *constants)
{
    double multiple = gap.shrink * series.at(gap.entry, 0);
    combine_rows(state.weights, gap.share, state.slots[0], multiple, target, state.columns);
}
