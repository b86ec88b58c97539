// Ftrl.

template <class Number>
__device__ Number raise_to(Number base, Number power)
{
    return power == (Number)0.5 ? sqrt(base) : pow(base, power);
}

template <class Number>
__device__ Number solve_ftrl(Number linear, Number curvature, Number l1)
{
    if (curvature == 0)
        return linear - linear;
    Number bounded = linear > -l1 ? linear : -l1;
    return ((bounded < l1 ? bounded : l1) - linear) / curvature;
}

template <class Source>
__device__ void update_row_ftrl(const State &state, const Source &gradient, const Value *numbers)
{
    Value rate = numbers[0], power = numbers[1], l1 = numbers[2];
    Value twice_l2 = numbers[3], beta = numbers[4], twice_shrinkage = numbers[5];
    Value *accumulator = state.slots[0], *linear = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        Value root = raise_to(accumulator[column], power);
        accumulator[column] += part * part;
        Value grown = raise_to(accumulator[column], power);
        linear[column] += part + (twice_shrinkage - (grown - root) / rate) * state.weight(column);
        state.set_weight(column, solve_ftrl(linear[column], (grown + beta) / rate + twice_l2, l1));
    }
}

// One element after its idle steps; `linear` becomes the linear term.
__device__ double walk_ftrl(double weight, double *linear, double accumulator, const Gap &gap, const Series &series,
                            const double *constants)
{
    double power = constants[0], l1 = constants[1], twice_l2 = constants[2], beta = constants[3];
    double twice_shrinkage = constants[4], root = raise_to(accumulator, power);
    for (long long step = twice_shrinkage > 0 ? 1 : gap.idle; step <= gap.idle; ++step) {
        long long before = gap.entry + step - 1;
        double after = series.shrink(before + 1), rate = series.at(before, 0) * after;
        *linear += twice_shrinkage * (after / series.shrink(before)) * weight;
        weight = solve_ftrl(*linear, (root + beta) / rate + twice_l2, l1);
    }
    return weight;
}

__device__ void move_idle_ftrl(const State &state, Value *target, const Gap &gap, const Series &series,
                               const double *constants)
{
    COLUMN_LOOP(column, state.columns) {
        double linear = (double)state.slots[1][column];
        double accumulator = (double)state.slots[0][column];
        target[column] =
            (Value)walk_ftrl((double)state.weights[column], &linear, accumulator, gap, series, constants);
    }
}

__device__ void move_linear_ftrl(const State &state, const Gap &gap, const Series &series, const double *constants)
{
    if (constants[4] > 0)
        COLUMN_LOOP(column, state.columns) {
            double linear = (double)state.slots[1][column];
            double accumulator = (double)state.slots[0][column];
            walk_ftrl((double)state.weights[column], &linear, accumulator, gap, series, constants);
            state.slots[1][column] = (Value)linear;
        }
}
