// Lion.

template <class Source>
__device__ void update_row_lion(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], beta_1 = numbers[1], one_less_beta_1 = numbers[2];
    Value beta_2 = numbers[3], one_less_beta_2 = numbers[4];
    Value *momentum = state.slots[0];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column), old = momentum[column];
        momentum[column] = beta_2 * old + one_less_beta_2 * part;
        state.set_weight(column, state.weight(column) - rate * sign_of(beta_1 * old + one_less_beta_1 * part));
    }
}

__device__ void move_idle_lion(const State &state, Value *target, const Gap &gap, const Series &series,
                               const double *constants)
{
    long long steps = (double)gap.idle < constants[1] ? gap.idle : (long long)constants[1];
    Value share = (Value)gap.share;
    Value path = (Value)(gap.shrink * (series.at(gap.entry + steps, 0) - series.at(gap.entry, 0)));
    COLUMN_LOOP(column, state.columns)
        target[column] = share * state.weights[column] - path * sign_of(state.slots[0][column]);
}
