"""A cache on a GPU of the rows of a table on the host. Start with `cache.py`."""

from __future__ import annotations

from fastembed_layer.tables.row_cache.cache import RowCache, make_cache

__all__ = ["RowCache", "make_cache"]
