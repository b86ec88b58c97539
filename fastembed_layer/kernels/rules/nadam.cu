// Nadam, and Adam with one second moment per row.

#define HALF 6  // terms of each half of a polynomial

template <class Source>
__device__ void update_row_nadam(const State &state, const Source &gradient, const Value *numbers)
{
    Value mean_rate = numbers[0], gradient_rate = numbers[1];
    Value one_less_beta_1 = numbers[2], one_less_beta_2 = numbers[3], epsilon = numbers[4];
    Value *mean = state.slots[0], *variance = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value first = mean[column] + (part - mean[column]) * one_less_beta_1;
        Value second = variance[column] + (part * part - variance[column]) * one_less_beta_2;
        mean[column] = first;
        variance[column] = second;
        Value push = mean_rate * first + gradient_rate * part;
        state.set_weight(column, state.weight(column) - push / (sqrt(second) + epsilon));
    }
}

// The first lane owns the second moment of the row.
template <class Source>
__device__ void update_row_rowwise_adam(const State &state, const Source &gradient, const Value *numbers)
{
    Value one_less_beta_1 = numbers[1], one_less_beta_2 = numbers[2], epsilon = numbers[3];
    Value *mean = state.slots[0];
    Value second = mean_square(gradient, state.columns);
    if (threadIdx.x == 0) {
        second = state.slots[1][0] + (second - state.slots[1][0]) * one_less_beta_2;
        state.slots[1][0] = second;
    }
    Value rate = numbers[0] / (sqrt(share_first(second)) + epsilon);
    COLUMN_LOOP(column, state.columns) {
        Value first = mean[column] + (gradient.at(column) - mean[column]) * one_less_beta_1;
        mean[column] = first;
        state.set_weight(column, state.weight(column) - rate * first);
    }
}

__device__ void move_idle_nadam(const State &state, Value *target, const Gap &gap, const Series &series,
                                const double *constants)
{
    walk_idle_steps(state, target, gap, series, constants);
    const Value *mean = state.slots[0], *variance = state.slots[1];
    Value reference = (Value)constants[5];
    Terms lower(series, gap, 0), upper(series, gap, HALF);
    COLUMN_LOOP(column, state.columns) {
        Value inverse = 1 / (sqrt(variance[column]) + reference);
        Value ratio = reference * inverse;
        Value point = ratio + ratio - 1;
        Value cube = point * point * point;
        target[column] -= mean[column] * inverse * (lower.at(point) + cube * cube * upper.at(point));
    }
}

// The first lane reads the second moment, since it is also the one that changes it.
__device__ void move_idle_rowwise_adam(const State &state, Value *target, const Gap &gap, const Series &series,
                                       const double *constants)
{
    Value moment = share_first(threadIdx.x == 0 ? state.slots[1][0] : (Value)0);
    double size = sqrt((double)moment), total = 0;
    long long last = gap.idle < (long long)constants[4] ? gap.idle : (long long)constants[4];
    for (long long step = 1; step <= last; ++step) {
        Record record(gap, step, series, constants);
        if (record.epsilon_factor == 0)
            break;
        total += record.rate / (record.fade * size + constants[2] * record.epsilon_factor);
    }
    double point = 2 * constants[5] / (size + constants[5]) - 1, polynomial = 0;
    for (int term = 2 * HALF - 1; term >= 0; --term)
        polynomial = series.at(gap.entry, term) + point * polynomial;
    total += gap.shrink * polynomial / (size + constants[5]);
    combine_rows(state.weights, gap.share, state.slots[0], -total, target, state.columns);
}
