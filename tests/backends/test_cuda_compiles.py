"""Every CUDA module compiles with NVIDIA's own compiler, without a warning and for every architecture.

It needs no GPU, but the extra ``test-cuda``. `pytest --nvrtc` makes it an error that the compiler is missing.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np
import nvrtc
import pytest

from fastembed_layer.backends.cuda.modules import PARTS, RULE, Module
from fastembed_layer.kernels.rules import ROW_RULES

OLDEST, NEWEST_TESTED = 70, 90
FLOATS, INTEGERS = (np.dtype("float32"), np.dtype("float64")), (np.dtype("int32"), np.dtype("int64"))
OF_RULES = [kind for kind, parts in PARTS.items() if RULE in parts]
PLAIN = [kind for kind in PARTS if kind not in OF_RULES]


@pytest.fixture(autouse=True, scope="module")
def compiler(request: pytest.FixtureRequest) -> None:
    """The compiler, or a reason why not."""
    if nvrtc.find_library() is None:
        say = pytest.fail if request.config.getoption("--nvrtc") else pytest.skip
        say("NVIDIA's compiler is not installed: pip install -e '.[test-cuda]'")


def list_targets() -> list[int]:
    """Architectures 70 to 90, as far as the compiler knows them, and its newest."""
    known = nvrtc.list_architectures()
    return [number for number in known if OLDEST <= number <= NEWEST_TESTED] + [max(known)]


def compile_for(module: Module, architecture: int) -> None:
    """Compile a module, and check that the compiler had nothing to say but that an architecture is old."""
    log = nvrtc.compile_source(module.read_source(), (*module.list_options(), f"-arch=sm_{architecture}"))
    assert [line for line in log.splitlines() if not line.startswith("nvrtc: warning: Architectures prior to")] == []


@pytest.mark.parametrize("kind", PLAIN)
def test_modules_without_a_rule_compile_for_every_architecture(kind: str) -> None:
    types = cycle([(value, index) for value in FLOATS for index in INTEGERS])
    for architecture, (value, index), is_wide in zip(list_targets(), types, cycle([True, False, False]), strict=False):
        compile_for(Module(kind, value, index, is_wide=is_wide), architecture)


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("value", FLOATS, ids=str)
@pytest.mark.parametrize("index", INTEGERS, ids=str)
def test_modules_without_a_rule_compile_for_every_type(kind: str, value: np.dtype, index: np.dtype) -> None:
    compile_for(Module(kind, value, index), NEWEST_TESTED)


@pytest.mark.parametrize("kind", OF_RULES)
def test_every_rule_compiles_for_every_architecture_in_turn(kind: str) -> None:
    """Each rule in one type for one architecture, and each architecture with several rules."""
    for rule, architecture, value in zip(ROW_RULES, cycle(list_targets()), cycle(FLOATS), strict=False):
        compile_for(Module(kind, value, rule=rule), architecture)


@pytest.mark.parametrize("kind", OF_RULES)
def test_the_longest_rules_compile_for_every_type_and_architecture(kind: str) -> None:
    for architecture, value in zip(list_targets(), cycle(FLOATS), strict=False):
        compile_for(Module(kind, value, np.dtype("int32"), "rowwise_lamb"), architecture)


def test_a_kernel_with_a_mistake_is_noticed() -> None:
    with pytest.raises(nvrtc.CompilationError, match=r"identifier \"nonsense\" is undefined"):
        nvrtc.compile_source('extern "C" __global__ void f() { nonsense(); }', ())


def test_a_warning_is_noticed() -> None:
    log = nvrtc.compile_source('extern "C" __global__ void f() { int unused; }', ())
    assert "warning" in log
