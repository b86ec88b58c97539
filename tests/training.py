"""Tables in the middle of a training, gradients in every form, and an optimizer for each rule."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import reference
from hypothesis import strategies as st
from strategies import KERNEL_TYPES, argmax_and_positions, flat_ids, matrices

from fastembed_layer import RowGradient
from fastembed_layer.backends.contract import Step
from fastembed_layer.kernels.rules import RULES
from fastembed_layer.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Ftrl,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    RowwiseAdagrad,
    RowwiseAdam,
    RowwiseLamb,
)
from fastembed_layer.optimizers.pytorch import AdagradFormula, AdamaxFormula, Formula, RMSpropFormula, SGDFormula
from fastembed_layer.tables.table import Table

Array = np.ndarray[Any, Any]

TABLE_TYPES = ("float32", "float64")
TOLERANCE = {"float32": 2e-5, "float64": 1e-13}
# Each pair takes the compiler a second; the kernels of float64 tables differ in nothing but the type.
RULES_BY_TYPE = [
    *product(RULES, ["float32"]),
    *product(["sgd", "adagrad", "rmsprop_centered_momentum", "amsgrad", "lion"], ["float64"]),
]
# The sign that Lion takes of a number near 0 hangs on its last bits, which drawn float32 numbers do get wrong.
DRAWN_RULES = [pair for pair in RULES_BY_TYPE if pair != ("lion", "float32")]
INPUT_DIM = 30

# A gradient as layers make it: one vector per id, or one per bag, which all its ids share.
FORMS = {  # with sources, scales, argmax
    "one vector per id": (False, False, False),
    "one vector per bag": (True, False, False),
    "one scaled vector per bag": (True, True, False),
    "one scaled vector per id": (False, True, False),
    "argmax of one vector per bag": (True, False, True),
    "argmax of one scaled vector per bag": (True, True, True),
}


def make_formula(formula: type[Formula], **group: Any) -> Formula:
    """One of PyTorch's optimizers with the hyper-parameters of a group."""
    made = formula("lazy")
    made.follow({"lr": 0.1, "weight_decay": 0.0} | group)
    return made


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.1, momentum=0.8),
    "nesterov": SGD(0.1, momentum=0.8, nesterov=True),
    "adagrad": Adagrad(0.1, epsilon=1e-3),
    "rmsprop": RMSprop(0.1, rho=0.8),
    "rmsprop_momentum": RMSprop(0.1, rho=0.8, momentum=0.7),
    "rmsprop_centered": RMSprop(0.1, rho=0.8, centered=True),
    "rmsprop_centered_momentum": RMSprop(0.1, rho=0.8, momentum=0.7, centered=True),
    "adam": Adam(0.1, beta_1=0.8, beta_2=0.95),
    "amsgrad": Adam(0.1, beta_1=0.8, beta_2=0.95, amsgrad=True),
    "adadelta": Adadelta(0.1, rho=0.8),
    "adamax": Adamax(0.1, beta_1=0.8, beta_2=0.95),
    "nadam": Nadam(0.1, beta_1=0.8, beta_2=0.95),
    "lion": Lion(0.1, beta_1=0.8, beta_2=0.95),
    "ftrl": Ftrl(
        0.1,
        learning_rate_power=-0.6,
        l1_regularization_strength=0.3,
        l2_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.1,
        beta=0.4,
    ),
    "rowwise_adagrad": RowwiseAdagrad(0.1),
    "rowwise_adam": RowwiseAdam(0.1, beta_1=0.8, beta_2=0.95),
    "rowwise_lamb": RowwiseLamb(0.1, beta_1=0.8, beta_2=0.95),
    "outer_momentum": make_formula(SGDFormula, momentum=0.8, dampening=0.3, nesterov=False),
    "outer_nesterov": make_formula(SGDFormula, momentum=0.8, dampening=0, nesterov=True),
    "outer_adagrad": make_formula(AdagradFormula, lr_decay=0.1, eps=1e-3, initial_accumulator_value=0.1),
    "outer_rmsprop": make_formula(RMSpropFormula, alpha=0.8, eps=1e-7, momentum=0, centered=False),
    "outer_rmsprop_momentum": make_formula(RMSpropFormula, alpha=0.8, eps=1e-7, momentum=0.7, centered=False),
    "outer_rmsprop_centered": make_formula(RMSpropFormula, alpha=0.8, eps=1e-3, momentum=0, centered=True),
    "outer_rmsprop_centered_momentum": make_formula(RMSpropFormula, alpha=0.8, eps=1e-3, momentum=0.7, centered=True),
    "floor_adamax": make_formula(AdamaxFormula, betas=(0.8, 0.95), eps=1e-3),
}


RATE = 0.1
DECAYS = (0.0, 0.5)  # of the weights


class Trained(NamedTuple):
    """A table with the slots of one rule, and the rule's numbers for one step."""

    table: Table
    slots: dict[str, Array]
    numbers: tuple[float, ...]

    def copy_bits(self) -> list[Array]:
        """Copies of table and slots."""
        return [array.copy() for array in (self.table.value, *self.slots.values())]


def slot_shape(rule: str, name: str, weights: Array) -> tuple[int, ...]:
    """The shape of a slot: that of the weights, or one number per row."""
    return (*weights.shape[:-1], 1) if name in OPTIMIZERS[rule].row_wise_slots else weights.shape


def make_trained(rule: str, value: Array, step: int = 1) -> Trained:
    """A table with slots as they are in the middle of a training: positive where they sum squares."""
    optimizer, random = OPTIMIZERS[rule], np.random.default_rng(len(rule))
    names = optimizer.slot_values()
    slots = {name: np.asarray(random.uniform(0.5, 1.0, slot_shape(rule, name, value))) for name in names}
    for name in {"average", "grad_avg"} & set(slots):  # its square is never above the average of the squares
        slots[name] = slots[name] / 3
    slots = {name: slot.astype(value.dtype) for name, slot in slots.items()}
    return Trained(Table(value.copy()), slots, optimizer.scalars(RATE, step))


def numbers_of(rule: str, decay: float = 0.0) -> dict[str, Any]:
    """The numbers that the reference asks for."""
    return OPTIMIZERS[rule].get_config() | {"learning_rate": RATE, "weight_decay": decay}


def update_rows(device: Any, trained: Trained, rule: str, gradient: RowGradient, keep: float = 1.0) -> None:
    """One step by the backend."""
    grouped = device.group_gradient(gradient)
    device.update_rows(trained.table, grouped, Step(rule, list(trained.slots.values()), trained.numbers, keep))


@st.composite
def gradients(draw: st.DrawFn, columns: int, dtype: str, form: str) -> RowGradient:
    """Row gradients of one form for a table of `INPUT_DIM` rows."""
    has_sources, has_scales, has_argmax = FORMS[form]
    ids = draw(flat_ids(INPUT_DIM, draw(st.sampled_from(KERNEL_TYPES))))
    bags = 4 if has_sources else len(ids)
    owners = st.lists(st.integers(0, bags - 1), min_size=len(ids), max_size=len(ids))
    sources = np.array(draw(owners), np.int64) if has_sources else None
    scales = draw(matrices(len(ids), 1, dtype)).reshape(-1) if has_scales else None
    won = draw(argmax_and_positions(bags, columns, len(ids))) if has_argmax else ()
    return RowGradient(ids, draw(matrices(bags, columns, dtype)), (INPUT_DIM, columns), sources, scales, *won)


def sum_by_reference(gradient: RowGradient) -> tuple[Array, Array]:
    """The summed gradient as the reference has it."""
    won = gradient.argmax, gradient.bag_positions
    return reference.sum_duplicates(gradient.ids, gradient.values, gradient.sources, gradient.scales, *won)


class Vocabularies(NamedTuple):
    """Ids of several vocabularies that lie under each other, as `offset_ids` takes them and as `offset_bags` does."""

    ids: Array
    values: Array
    offsets: Array
    input_dims: Array
    row_offsets: Array


def make_vocabularies(samples: int, count: int, id_type: str, seed: int = 0) -> Vocabularies:
    """Random ids and bags; the vocabularies have 1 to 20 rows and the bags up to 3 ids."""
    random = np.random.default_rng(seed)
    input_dims = random.integers(1, 21, count)
    lengths = random.integers(0, 4, (count, samples))
    ends = np.cumsum(lengths.reshape(-1)).reshape(count, samples)
    offsets = np.concatenate([ends[:, :1] - lengths[:, :1], ends], axis=1) if samples else np.zeros((count, 1), int)
    values = random.integers(0, np.repeat(input_dims, lengths.sum(axis=1)))
    ids = random.integers(0, input_dims, (samples, count))
    row_offsets = np.cumsum(input_dims) - input_dims
    return Vocabularies(ids.astype(id_type), values.astype(id_type), offsets, input_dims, row_offsets)
