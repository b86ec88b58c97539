// RMSprop, also centered and with momentum.

template <class Source>
__device__ void update_row_rmsprop(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], epsilon = numbers[4];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        velocity[column] = size;
        state.set_weight(column, state.weight(column) - rate * part / sqrt(size + epsilon));
    }
}

template <class Source>
__device__ void update_row_rmsprop_momentum(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], decay = numbers[3], epsilon = numbers[4];
    Value *velocity = state.slots[0], *momentum = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        velocity[column] = size;
        Value moved = decay * momentum[column] + rate * part / sqrt(size + epsilon);
        momentum[column] = moved;
        state.set_weight(column, state.weight(column) - moved);
    }
}

template <class Source>
__device__ void update_row_rmsprop_centered(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], epsilon = numbers[4];
    Value *velocity = state.slots[0], *average = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        Value mean = rho * average[column] + one_less_rho * part;
        velocity[column] = size;
        average[column] = mean;
        state.set_weight(column, state.weight(column) - rate * part / sqrt(size - mean * mean + epsilon));
    }
}

template <class Source>
__device__ void update_row_rmsprop_centered_momentum(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], decay = numbers[3], epsilon = numbers[4];
    Value *velocity = state.slots[0], *momentum = state.slots[1], *average = state.slots[2];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        Value mean = rho * average[column] + one_less_rho * part;
        velocity[column] = size;
        average[column] = mean;
        Value moved = decay * momentum[column] + rate * part / sqrt(size - mean * mean + epsilon);
        momentum[column] = moved;
        state.set_weight(column, state.weight(column) - moved);
    }
}

__device__ void move_idle_rmsprop_momentum(const State &state, Value *target, const Gap &gap, const Series &series,
                                           const double *constants)
{
    double multiple = -gap.shrink * series.at(gap.entry, 0);
    combine_rows(state.weights, gap.share, state.slots[1], multiple, target, state.columns);
}

__device__ void decay_three_slots(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    decay_two_slots(state, gap, series, constants);
    fade_slot(state, 2, constants[0], gap);
}
