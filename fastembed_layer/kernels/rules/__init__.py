"""The update rules, one file per family: what one optimizer does to one row, in a step and between steps.

A new optimizer is one `RowRule` here and one file in ``optimizers``, where formula and source stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastembed_layer.kernels.rows import by_width
from fastembed_layer.kernels.rules.adadelta import ADADELTA_RULES
from fastembed_layer.kernels.rules.adagrad import ADAGRAD_RULES
from fastembed_layer.kernels.rules.adam import ADAM_RULES
from fastembed_layer.kernels.rules.ftrl import FTRL_RULES
from fastembed_layer.kernels.rules.lion import LION_RULES
from fastembed_layer.kernels.rules.nadam import NADAM_RULES
from fastembed_layer.kernels.rules.pytorch import PYTORCH_RULES
from fastembed_layer.kernels.rules.rmsprop import RMSPROP_RULES
from fastembed_layer.kernels.rules.row_rule import RowRule
from fastembed_layer.kernels.rules.rowwise_lamb import ROWWISE_LAMB_RULES
from fastembed_layer.kernels.rules.sgd import SGD_RULES
from fastembed_layer.kernels.update import make_update_dense, make_update_rows

ROW_RULES: dict[str, RowRule] = {
    **SGD_RULES,
    **ADAGRAD_RULES,
    **RMSPROP_RULES,
    **ADADELTA_RULES,
    **ADAM_RULES,
    **NADAM_RULES,
    **ROWWISE_LAMB_RULES,
    **LION_RULES,
    **FTRL_RULES,
    **PYTORCH_RULES,
}


class Rule(NamedTuple):
    """The kernels of one rule for rows that are up to date."""

    update_rows: by_width
    update_dense: Callable[..., Any]


RULES = {
    name: Rule(make_update_rows(rule.update_row), make_update_dense(rule.update_row))
    for name, rule in ROW_RULES.items()
    if not name.endswith("_stepwise")  # another way over the gaps, the same step
}
