"""One module per kind of device; `contract.py` documents the operations."""
