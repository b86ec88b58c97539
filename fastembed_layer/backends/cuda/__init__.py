"""The CUDA backend. Start with `operations.py`; importing this loads neither the library of the GPU nor numba."""

from __future__ import annotations

from fastembed_layer.backends.cuda.library import find_refusal, import_library, load_module
from fastembed_layer.backends.cuda.modules import Launcher
from fastembed_layer.backends.cuda.operations import CudaBackend

BACKEND = CudaBackend(import_library, Launcher(load_module), find_refusal)
