"""`DenseView`: gradients of tables as the arrays that code written for dense gradients expects."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.backends.arrays import to_cpu

Array = np.ndarray[Any, Any]


class DenseView:
    """Base of gradients that can be written out as a whole ``(input_dim, output_dim)`` array.

    ``np.asarray``, `numpy` and `reshape` return what `to_dense` does, on the host: a new array of the table's size.
    """

    def to_dense(self) -> Array:
        """Return the whole array."""
        raise NotImplementedError(f"{type(self).__name__} must implement `to_dense`.")

    @property
    def ndim(self) -> int:
        """Number of dimensions of the dense gradient, 2."""
        return 2

    def numpy(self) -> Array:
        """Return the dense gradient as an array of numpy; it has the size of the table."""
        return to_cpu(self.to_dense())

    def reshape(self, *shape: Any) -> Array:
        """Return the dense gradient in another shape; it has the size of the table."""
        return self.numpy().reshape(*shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(f"A {type(self).__name__} is no dense array, so np.asarray has to make one: copy=False.")
        return np.asarray(self.numpy(), dtype)
