// Rules in PyTorch's form: the rate outside the momentum, epsilon outside the root or as a floor.

template <class Source>
__device__ void update_row_outer_momentum(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], momentum = numbers[1], share = numbers[2];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value moved = momentum * velocity[column] + share * gradient.at(column);
        velocity[column] = moved;
        state.set_weight(column, state.weight(column) - rate * moved);
    }
}

template <class Source>
__device__ void update_row_outer_nesterov(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], momentum = numbers[1], share = numbers[2];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value moved = momentum * velocity[column] + share * part;
        velocity[column] = moved;
        state.set_weight(column, state.weight(column) - rate * (part + momentum * moved));
    }
}

__device__ void move_idle_outer_momentum(const State &state, Value *target, const Gap &gap, const Series &series,
                                         const double *constants)
{
    double multiple = -gap.shrink * series.at(gap.entry, 0);
    combine_rows(state.weights, gap.share, state.slots[0], multiple, target, state.columns);
}

template <class Source>
__device__ void update_row_outer_adagrad(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], epsilon = numbers[1];
    Value *accumulator = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = accumulator[column] + part * part;
        accumulator[column] = size;
        state.set_weight(column, state.weight(column) - rate * part / (sqrt(size) + epsilon));
    }
}

template <class Source>
__device__ void update_row_outer_rmsprop(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], epsilon = numbers[4];
    Value *velocity = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        velocity[column] = size;
        state.set_weight(column, state.weight(column) - rate * part / (sqrt(size) + epsilon));
    }
}

template <class Source>
__device__ void update_row_outer_rmsprop_momentum(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], decay = numbers[3], epsilon = numbers[4];
    Value *velocity = state.slots[0], *momentum = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        velocity[column] = size;
        Value moved = decay * momentum[column] + part / (sqrt(size) + epsilon);
        momentum[column] = moved;
        state.set_weight(column, state.weight(column) - rate * moved);
    }
}

template <class Source>
__device__ void update_row_outer_rmsprop_centered(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], epsilon = numbers[4];
    Value *velocity = state.slots[0], *average = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        Value mean = average[column] + (part - average[column]) * one_less_rho;
        velocity[column] = size;
        average[column] = mean;
        state.set_weight(column, state.weight(column) - rate * part / (sqrt(size - mean * mean) + epsilon));
    }
}

template <class Source>
__device__ void update_row_outer_rmsprop_centered_momentum(const State &state, const Source &gradient,
                                                           const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], decay = numbers[3], epsilon = numbers[4];
    Value *velocity = state.slots[0], *momentum = state.slots[1], *average = state.slots[2];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * velocity[column] + one_less_rho * part * part;
        Value mean = average[column] + (part - average[column]) * one_less_rho;
        velocity[column] = size;
        average[column] = mean;
        Value moved = decay * momentum[column] + part / (sqrt(size - mean * mean) + epsilon);
        momentum[column] = moved;
        state.set_weight(column, state.weight(column) - rate * moved);
    }
}

__device__ void move_idle_outer_rmsprop(const State &state, Value *target, const Gap &gap, const Series &series,
                                        const double *constants)
{
    double multiple = -gap.shrink * series.at(gap.entry, 0);
    combine_rows(state.weights, gap.share, state.slots[1], multiple, target, state.columns);
}

__device__ void decay_outer_rmsprop(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    decay_two_slots(state, gap, series, constants);
    fade_slot(state, 2, constants[0], gap);
}

template <class Source>
__device__ void update_row_floor_adamax(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], one_less_beta_1 = numbers[1], beta_2 = numbers[2], epsilon = numbers[3];
    Value *mean = state.slots[0], *norm = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value first = mean[column] + (part - mean[column]) * one_less_beta_1;
        Value faded = beta_2 * norm[column], present = (part < 0 ? -part : part) + epsilon;
        Value largest = faded > present || faded != faded ? faded : present;
        mean[column] = first;
        norm[column] = largest;
        state.set_weight(column, state.weight(column) - rate * first / largest);
    }
}

// What the mean of one element is multiplied with over its idle steps.
__device__ double walk_to_floor(double norm, const Gap &gap, const Series &series, const double *constants)
{
    double total = 0;
    long long last = gap.idle < (long long)constants[3] ? gap.idle : (long long)constants[3];
    for (long long step = 1; step <= last; ++step) {
        double faded = norm * exp(constants[1] * (double)step);
        double size = faded > constants[2] ? faded : constants[2];
        total += gap.shrink * series.at(gap.entry + step - 1, 1) * exp(constants[0] * (double)step) / size;
    }
    return total;
}

__device__ void move_idle_floor_adamax(const State &state, Value *target, const Gap &gap, const Series &series,
                                       const double *constants)
{
    const Value *mean = state.slots[0], *norm = state.slots[1];
    Value share = (Value)gap.share, total = (Value)(gap.shrink * series.at(gap.entry, 0));
    double steps = gap.idle < constants[3] ? (double)gap.idle : constants[3];
    Value floor = (Value)(constants[2] / exp(constants[1] * steps));
    COLUMN_LOOP(column, state.columns) {
        Value moved = mean[column] / norm[column] * total;
        if (constants[4] == 0 || norm[column] < floor)
            moved = mean[column] == 0 ? 0 : mean[column] * (Value)walk_to_floor(norm[column], gap, series, constants);
        target[column] = share * state.weights[column] - moved;
    }
}

__device__ void decay_floor_adamax(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    decay_two_slots(state, gap, series, constants);
    Value epsilon = (Value)constants[2];
    COLUMN_LOOP(column, state.columns)
        state.slots[1][column] = state.slots[1][column] < epsilon ? epsilon : state.slots[1][column];
}
