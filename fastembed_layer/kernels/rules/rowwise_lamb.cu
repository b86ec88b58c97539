// Lamb with a trust ratio per row.

// Adam's direction; the moments fade where steps have been idle.
struct Direction {
    const Value *mean, *variance;
    double rate, fade, epsilon;

    __device__ double at(long long column) const
    {
        return rate * (double)mean[column] / (fade * (double)sqrt(variance[column]) + epsilon);
    }
};

// Norm of the row by norm of the direction, 1 where either is 0; `of_direction` receives the latter's square.
__device__ double trust_ratio(const Value *row, double decay_factor, const Direction &direction, long long columns,
                              double *of_direction)
{
    double row_square = 0, direction_square = 0;
    COLUMN_LOOP(column, columns) {
        double weight = decay_factor * (double)row[column], part = direction.at(column);
        row_square += weight * weight;
        direction_square += part * part;
    }
    row_square = sum_lanes(row_square);
    *of_direction = sum_lanes(direction_square);
    return row_square > 0 && *of_direction > 0 ? sqrt(row_square / *of_direction) : 1.0;
}

template <class Source>
__device__ void update_row_rowwise_lamb(const State &state, const Source &gradient, const Value *numbers)
{
    Value one_less_beta_1 = numbers[2], one_less_beta_2 = numbers[3];
    Value *mean = state.slots[0], *variance = state.slots[1];
    COLUMN_LOOP(column, state.columns) {
        Value part = gradient.at(column);
        mean[column] += (part - mean[column]) * one_less_beta_1;
        variance[column] += (part * part - variance[column]) * one_less_beta_2;
    }
    Direction direction = {mean, variance, (double)numbers[1], 1.0, (double)numbers[4]};
    double square;
    double length = (double)numbers[0] * trust_ratio(state.weights, (double)state.decay_factor, direction, state.columns, &square);
    COLUMN_LOOP(column, state.columns)
        state.set_weight(column, (Value)((double)state.weight(column) - length * direction.at(column)));
}

__device__ void move_idle_rowwise_lamb(const State &state, Value *target, const Gap &gap, const Series &series,
                                       const double *constants)
{
    COLUMN_LOOP(column, state.columns)
        target[column] = state.weights[column];
    double shrink = gap.shrink / gap.share;
    for (long long step = 1; step <= gap.idle; ++step) {
        long long record = gap.entry + step - 1;
        double present = series.shrink(record + 1), decay_factor = present / shrink;
        double rate = series.at(record, 1) * present * exp(constants[0] * (double)step);
        double epsilon = constants[2] * series.at(record, 2) * present;
        double fade = exp(0.5 * constants[1] * (double)step);
        Direction direction = {state.slots[0], state.slots[1], rate, fade, epsilon};
        double of_direction;
        double ratio = trust_ratio(target, decay_factor, direction, state.columns, &of_direction);
        if (of_direction == 0 || power_of(constants[0], step) == 0)
            break;
        double length = series.at(record, 0) * present * ratio;
        COLUMN_LOOP(column, state.columns)
            target[column] = (Value)(decay_factor * (double)target[column] - length * direction.at(column));
        shrink = present;
    }
    COLUMN_LOOP(column, state.columns)
        target[column] *= (Value)(gap.shrink / shrink);
}
