"""`Maximum` and `Minimum` of several arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastembed_layer.layers.merge import Array, Masks, Merge, PullParts


class _Pick(Merge):
    """The larger, or the smaller, of each pair; a masked step takes what the other input has there."""

    _pick: Any
    _is_better: Any

    def combine(self, arrays: list[Array], masks: Masks) -> tuple[Array, PullParts]:
        """Go through the arrays one by one; equal values share the gradient."""
        output, mask, shares = arrays[0], masks[0], [np.ones((), arrays[0].dtype)]
        for array, its_mask in zip(arrays[1:], masks[1:], strict=True):
            share = self._share_of_second(output, array, mask, its_mask)
            shares = [before * (1 - share) for before in shares] + [share]
            picked = type(self)._pick(output, array)
            output = np.where(share == 1, array, np.where(share == 0, output, picked))
            mask = None if mask is None or its_mask is None else mask | its_mask
        return output, lambda d_output: [d_output * share for share in shares]

    def _share_of_second(self, first: Array, second: Array, mask: Array | None, its_mask: Array | None) -> Array:
        """1 where the second array is taken, 0 where the first is, 0.5 where they are equal."""
        share = np.asarray(type(self)._is_better(second, first) + 0.5 * (second == first))
        share = share.astype(np.result_type(first, second))
        if mask is not None:
            share = np.where(mask, share, share.dtype.type(1))
        return share if its_mask is None else np.where(its_mask, share, share.dtype.type(0))


class Maximum(_Pick):
    """The largest of a list of arrays, element by element. Equal values share the gradient.

    Where an input is masked, the others count; the first one where all are.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Maximum
    >>> Maximum()([np.array([[1.0, 6.0]]), np.array([[3.0, 2.0]])])
    array([[3., 6.]])
    """

    _pick, _is_better = np.maximum, np.greater


class Minimum(_Pick):
    """The smallest of a list of arrays, element by element. Equal values share the gradient.

    Where an input is masked, the others count; the first one where all are.

    Parameters
    ----------
    **keywords
        Those of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastembed_layer import Minimum
    >>> Minimum()([np.array([[1.0, 6.0]]), np.array([[3.0, 2.0]])])
    array([[1., 2.]])
    """

    _pick, _is_better = np.minimum, np.less


def maximum(inputs: Any, **keywords: Any) -> Any:
    """Return ``Maximum(**keywords)(inputs)``."""
    return Maximum(**keywords)(inputs)


def minimum(inputs: Any, **keywords: Any) -> Any:
    """Return ``Minimum(**keywords)(inputs)``."""
    return Minimum(**keywords)(inputs)
