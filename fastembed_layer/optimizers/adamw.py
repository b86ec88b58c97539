"""`AdamW`: Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from fastembed_layer.optimizers.adam import Adam
from fastembed_layer.optimizers.schedules.base import Schedule


class AdamW(Adam):
    """AdamW [1]_: `Adam` whose weights decay.

    Parameters
    ----------
    learning_rate : float or callable
        The rate or a schedule.
    weight_decay : float, optional
        Share of the weights that a step takes away, per learning rate; None and 0 make it Adam.
    beta_1, beta_2, epsilon, amsgrad
        As for `Adam`.
    **keywords
        As for `Optimizer`.

    Notes
    -----
    ``w -= lr weight_decay w``, then Adam's step. Over idle steps a row is multiplied by the product of their
    ``1 - lr weight_decay``, and each of Adam's movements by what the later steps leave of it; the product is kept for
    each possible last step beside Adam's sums.

    References
    ----------
    .. [1] Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> from fastembed_layer.optimizers import AdamW
    >>> AdamW().get_config()["weight_decay"]
    0.004
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **keywords: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **keywords)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer."""
        return super().get_config() | {"weight_decay": self.decay.rate}
