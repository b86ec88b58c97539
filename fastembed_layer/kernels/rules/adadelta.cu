// Adadelta.

template <class Source>
__device__ void update_row_adadelta(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], rho = numbers[1], one_less_rho = numbers[2], epsilon = numbers[3];
    Value *gradients = state.slots[0], *steps = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value size = rho * gradients[column] + one_less_rho * part * part;
        gradients[column] = size;
        Value step = part * sqrt(steps[column] + epsilon) / sqrt(size + epsilon);
        steps[column] = rho * steps[column] + one_less_rho * step * step;
        state.set_weight(column, state.weight(column) - rate * step);
    }
}
