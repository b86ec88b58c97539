"""What Keras's optimizers do with an anchor: `apply` trains the table behind it, once, and after all its gradients.

An anchor is a trainable weight of one number. Its gradient is not that of a number but a sum of tokens, by which its
`RowTrainer` knows the gradients of the step. So `apply` of Keras's optimizers is given a look at the weights first;
where none of them is an anchor, that is all that happens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from weakref import WeakKeyDictionary, ref

import keras
import numpy as np

from fastembed_layer.keras.followers import Follower
from fastembed_layer.keras.frameworks import framework
from fastembed_layer.keras.row_trainer import RowTrainer

Tensor = Any

MARK = "_row_trainer"
_scalers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def make_anchor(variable: Any, trainer: RowTrainer) -> None:
    """Make a weight the anchor of a layer."""
    setattr(variable, MARK, trainer)


def trainer_of(variable: Any) -> RowTrainer | None:
    """Return the trainer behind an anchor; None for other weights."""
    return getattr(variable, MARK, None)


def hook_optimizers() -> None:
    """Let the optimizers of Keras know of anchors; a second call does nothing."""
    for cls, hook in ((keras.optimizers.Optimizer, apply_step), (keras.optimizers.LossScaleOptimizer, note_scale)):
        if not hasattr(cls.apply, MARK):
            cls.apply = _hooked(cls.apply, hook)


def _hooked(apply: Callable[..., Any], hook: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(apply)
    def hooked(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        known = getattr(self, "_trainable_variables", []) if trainable_variables is None else trainable_variables
        variables, grads = list(known), list(grads)
        anchors = [
            place
            for place, (variable, gradient) in enumerate(zip(variables, grads, strict=False))
            if trainer_of(variable) is not None and gradient is not None
        ]
        if not anchors:
            return apply(self, grads, trainable_variables)
        return hook(self, grads, variables, anchors, partial(apply, self))

    setattr(hooked, MARK, None)
    return hooked


def apply_step(
    optimizer: Any, grads: list[Tensor], variables: list[Any], anchors: list[int], apply: Callable[..., Any]
) -> Any:
    """Train the tables behind some anchors, then everything else.

    Keras overwrites an anchor with what stands for its gradient, which is the zero that the step returns.
    """
    scale = _scale_of(optimizer)
    followers = {place: _follow(optimizer, variables[place]) for place in anchors}
    clipped = [place for place in anchors if optimizer.global_clipnorm and followers[place].follows_keras]
    shrink = _clip_together(optimizer, grads, variables, anchors, clipped) if clipped else 1.0
    for place in anchors:
        factor = (shrink if place in clipped else 1.0) / scale
        grads[place] = _step(optimizer, followers[place], (variables[place], grads[place]), factor)
    return apply(grads, variables)


def note_scale(
    optimizer: Any, grads: list[Tensor], variables: list[Any], anchors: list[int], apply: Callable[..., Any]
) -> Any:
    """Let gradients that are not finite be seen, and the scale be known to the optimizer inside."""
    _scalers[optimizer.inner_optimizer] = ref(optimizer)  # which holds the one inside
    for place in anchors:
        trainer = trainer_of(variables[place])
        assert trainer is not None
        grads[place] = _call_for_number(partial(_poison, trainer), [grads[place]])
    return apply(grads, variables)


def _poison(trainer: RowTrainer, received: Any) -> list[Any]:
    return [np.float64(received) if trainer.is_finite(received) else np.float64(np.nan)]


def _scale_of(optimizer: Any) -> Any:
    """Return what the gradients of tables have been multiplied with: those of other weights may be divided already."""
    outer = _scalers[optimizer]() if optimizer in _scalers else None
    if outer is not None:
        return keras.ops.convert_to_tensor(outer.dynamic_scale)
    return optimizer.loss_scale_factor or 1.0


def _follow(optimizer: Any, anchor: Any) -> Follower:
    trainer = trainer_of(anchor)
    assert trainer is not None
    return trainer.follow(optimizer, anchor)


def _clip_together(
    optimizer: Any, grads: list[Tensor], variables: list[Any], anchors: list[int], clipped: list[int]
) -> Tensor:
    """Scale all gradients but those of tables so that the norm of all is at most `global_clipnorm`; return the factor.

    Keras clips once more, and finds nothing to clip.
    """
    norms = [_norm(variables[place], grads[place]) / _scale_of(optimizer) for place in clipped]
    own_scale = optimizer.loss_scale_factor or 1.0
    others = [place for place, gradient in enumerate(grads) if place not in anchors and gradient is not None]
    squares = [keras.ops.sum(keras.ops.square(framework().numbers_of(grads[place]) / own_scale)) for place in others]
    total = keras.ops.sqrt(sum(keras.ops.square(norm) for norm in norms) + sum(squares))
    shrink = optimizer.global_clipnorm / keras.ops.maximum(total, optimizer.global_clipnorm)
    for place in others:
        grads[place] = framework().scale(grads[place], shrink)
    return shrink


def _norm(anchor: Any, received: Tensor) -> Tensor:
    trainer = trainer_of(anchor)
    assert trainer is not None
    return _call_for_number(lambda given: [np.float32(trainer.norm(given))], [received], np.float32)


def _step(optimizer: Any, follower: Follower, pair: tuple[Any, Tensor], factor: Any) -> Tensor:
    """Make the step of one layer; return zero, once it is made."""
    anchor, received = pair
    trainer = trainer_of(anchor)
    assert trainer is not None

    def step(received: Any, iterations: Any, rate: Any, factor: Any) -> list[Any]:
        trainer.step(follower, received, (int(iterations), float(rate), float(factor)))
        return [np.float64(0)]

    as_float = partial(keras.ops.cast, dtype="float32")
    numbers = [keras.ops.convert_to_tensor(optimizer.iterations), *map(as_float, (optimizer.learning_rate, factor))]
    return _call_for_number(step, [received, *numbers])


def _call_for_number(function: Callable[..., list[Any]], tensors: list[Tensor], dtype: Any = np.float64) -> Tensor:
    return framework().set_shape(framework().call(function, tensors, [dtype])[0], ())
