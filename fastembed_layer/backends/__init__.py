"""One module per kind of device; `contract` documents the operations."""
