// Adam, AMSGrad and Adamax.

template <class Source>
__device__ void update_row_adam(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], one_less_beta_1 = numbers[1], one_less_beta_2 = numbers[2], epsilon = numbers[3];
    Value *mean = state.slots[0], *variance = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value first = mean[column] + (part - mean[column]) * one_less_beta_1;
        Value second = variance[column] + (part * part - variance[column]) * one_less_beta_2;
        mean[column] = first;
        variance[column] = second;
        state.set_weight(column, state.weight(column) - rate * first / (sqrt(second) + epsilon));
    }
}

template <class Source>
__device__ void update_row_amsgrad(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], one_less_beta_1 = numbers[1], one_less_beta_2 = numbers[2], epsilon = numbers[3];
    Value *mean = state.slots[0], *variance = state.slots[1], *largest = state.slots[2];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value first = mean[column] + (part - mean[column]) * one_less_beta_1;
        Value second = variance[column] + (part * part - variance[column]) * one_less_beta_2;
        Value most = second > largest[column] ? second : largest[column];
        mean[column] = first;
        variance[column] = second;
        largest[column] = most;
        state.set_weight(column, state.weight(column) - rate * first / (sqrt(most) + epsilon));
    }
}

template <class Source>
__device__ void update_row_adamax(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], one_less_beta_1 = numbers[1], beta_2 = numbers[2], epsilon = numbers[3];
    Value *mean = state.slots[0], *norm = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value first = mean[column] + (part - mean[column]) * one_less_beta_1;
        Value faded = beta_2 * norm[column], size = part < 0 ? -part : part;
        size = size > faded ? size : faded;
        mean[column] = first;
        norm[column] = size;
        state.set_weight(column, state.weight(column) - rate * first / (size + epsilon));
    }
}

__device__ void move_idle_adam(const State &state, Value *target, const Gap &gap, const Series &series,
                               const double *constants)
{
    const Value *mean = state.slots[0], *variance = state.slots[1];
    Value epsilon = (Value)constants[2], share = (Value)gap.share;
    Terms terms(series, gap, 0);
    COLUMN_LOOP(column, state.columns) {
        Value inverse = 1 / (sqrt(variance[column]) + epsilon);
        target[column] = share * state.weights[column] - mean[column] * inverse * terms.at(epsilon * inverse);
    }
}

__device__ void move_idle_adamax(const State &state, Value *target, const Gap &gap, const Series &series,
                                 const double *constants)
{
    const Value *mean = state.slots[0], *norm = state.slots[1];
    Value epsilon = (Value)constants[2], share = (Value)gap.share;
    Terms terms(series, gap, 0);
    COLUMN_LOOP(column, state.columns) {
        Value inverse = 1 / (norm[column] + epsilon);
        target[column] = share * state.weights[column] - mean[column] * inverse * terms.at(epsilon * inverse);
    }
}

__device__ void move_idle_amsgrad(const State &state, Value *target, const Gap &gap, const Series &series,
                                  const double *constants)
{
    const Value *mean = state.slots[0], *largest = state.slots[2];
    Value epsilon = (Value)constants[2], share = (Value)gap.share;
    Value total = (Value)(gap.shrink * series.at(gap.entry, 0));
    COLUMN_LOOP(column, state.columns)
        target[column] = share * state.weights[column] - total * mean[column] / (sqrt(largest[column]) + epsilon);
}
