"""Dispatch: the placement decides, at every call, and nothing else does."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from fake_device import FakeArray, FakeDevice

from fastembed_layer.backends.dispatch import BACKENDS, backend_for, backend_of
from fastembed_layer.tables.parameter import Parameter


def test_a_placement_gets_the_backend_of_its_kind() -> None:
    assert type(backend_for("cpu:0")).__name__ == "CpuBackend"
    assert backend_for("cpu") is backend_for("cpu:0")


@pytest.mark.parametrize("placement", ["tpu:0", "tpu", "", "CPU:0", ":0"])
def test_a_placement_that_no_backend_serves_is_an_error(placement: str) -> None:
    with pytest.raises(ValueError, match=rf"`placement` must be on one of .*'cpu'.* Received: '{placement}'\."):
        backend_for(placement)


def test_the_placement_is_read_again_at_every_call() -> None:
    parameter = Parameter(np.zeros(2))
    assert backend_of(parameter) is backend_for("cpu:0")
    parameter.placement = "tpu:0"
    with pytest.raises(ValueError, match="tpu:0"):
        backend_of(parameter)


def test_a_new_backend_is_found_without_any_other_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "twin", BACKENDS["cpu"])
    assert backend_for("twin:1") is backend_for("cpu:0")


def test_ids_on_a_device_reach_a_table_on_the_host_by_ferry(fake_gpu: FakeDevice) -> None:
    parameter, ids = Parameter(np.zeros(2)), FakeArray(np.zeros(1, np.int64))
    assert backend_of(parameter, np.zeros(1, np.int64)) is backend_for("cpu:0")
    assert type(backend_of(parameter, ids)).__name__ == "Transfer"


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FASTEMBED_LAYER_BACKEND", "KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "gpu:0")
    assert backend_for("cpu:0") is backend_for("cpu")


def test_the_compiler_is_loaded_by_the_first_use_of_a_backend() -> None:
    code = (
        "import sys; from fastembed_layer.backends.dispatch import backend_for; before = 'numba' in sys.modules; "
        "backend_for('cpu:0'); print(before, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
