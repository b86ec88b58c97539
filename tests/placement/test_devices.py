"""Device strings and scopes, and the device of a layer for which none was chosen."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fake_device import FakeDevice

from fastembed_layer import Embedding, device
from fastembed_layer.backends.arrays import BACKENDS
from fastembed_layer.placement.devices import (
    check_device,
    current_choice,
    current_device,
    default_device,
    explain_lack_of_gpu,
    format_bytes,
)

# ---- Devices


@pytest.mark.parametrize(
    "name", ["cpu:0", "cpu", "CPU:0", "/cpu:0", "/device:CPU:0", "device:cpu:0", "/CPU:0", "Cpu", "cpu:00"]
)
def test_every_spelling_of_the_cpu_is_understood(name: str) -> None:
    assert check_device(name) == "cpu:0"
    with device(name) as plain:
        assert (plain, current_device()) == ("cpu:0", "cpu:0")


@pytest.mark.parametrize("name", ["gpu:1", "GPU:1", "cuda:1", "CUDA:01", "/gpu:1", "/device:GPU:1", "device:cuda:1"])
@pytest.mark.usefixtures("fake_gpu")
def test_every_spelling_of_a_gpu_is_understood(name: str) -> None:
    assert check_device(name) == "gpu:1"
    with device(name):
        assert current_device() == "gpu:1"


@pytest.mark.usefixtures("fake_gpu")
def test_a_gpu_without_a_number_is_the_first() -> None:
    assert {check_device(name) for name in ("gpu", "CUDA", "/gpu", "/device:GPU")} == {"gpu:0"}


@pytest.mark.parametrize(
    ("name", "devices"), [("gpu:2", "gpu:0, gpu:1"), ("cuda:7", "gpu:0, gpu:1"), ("cpu:1", "cpu:0")]
)
@pytest.mark.usefixtures("fake_gpu")
def test_a_device_that_does_not_exist_is_a_value_error_with_those_that_do(name: str, devices: str) -> None:
    with pytest.raises(ValueError, match=rf"`device` must be one of {devices}\. Received: '{name}'\."):
        check_device(name)


@pytest.mark.parametrize("name", ["gpu:0", "GPU", "cuda:1", "/device:GPU:0"])
def test_a_gpu_that_cannot_be_used_is_a_value_error_with_the_reason(fake_gpu: FakeDevice, name: str) -> None:
    fake_gpu.reason = "The driver is too old. Install a newer one."
    with pytest.raises(ValueError, match=rf"Received: '{name}'\. The driver is too old\. Install a newer one\."):
        check_device(name)
    with pytest.raises(ValueError, match="The driver is too old"):
        Embedding(3, 2, device=name)


def test_without_a_backend_for_gpus_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(BACKENDS, "gpu", raising=False)
    assert explain_lack_of_gpu() == "This version computes on the CPU only."
    with pytest.raises(ValueError, match="computes on the CPU only"):
        check_device("gpu:0")
    assert default_device() == "cpu:0"


def test_the_default_is_the_first_gpu_that_can_be_used(fake_gpu: FakeDevice) -> None:
    assert (default_device(), current_device()) == ("gpu:0", "gpu:0")
    assert not current_choice().is_chosen
    fake_gpu.reason = "There is no device."
    assert (default_device(), current_device()) == ("cpu:0", "cpu:0")


@pytest.mark.usefixtures("fake_gpu")
def test_an_argument_wins_over_a_scope_and_a_scope_over_the_default() -> None:
    with device("gpu:1"):
        assert current_choice() == ("gpu:1", True)
        assert current_choice("cpu") == ("cpu:0", True)


@pytest.mark.parametrize(
    "name", ["", "tpu:0", "cpu:", "cpu:-1", "cpu:0:0", "0", " cpu", "cpu:0\n", "//cpu:0"], ids=repr
)
def test_what_is_no_device_string_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"`device` must be a device string such as 'cpu:0' or 'gpu:0'\. Received: "):
        check_device(name)


@pytest.mark.parametrize("name", [0, None, b"cpu", True, ["cpu:0"]], ids=repr)
def test_a_device_that_is_no_string_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError, match=r"`device` must be a string such as 'cpu:0'\. Received: "):
        check_device(name)
    with pytest.raises(TypeError, match="`device` must be a string"), device(name):
        pass


@pytest.mark.usefixtures("fake_gpu")
def test_scopes_nest_and_end_with_an_error_too() -> None:
    seen: dict[str, str] = {}
    with pytest.raises(KeyError, match="cpu:0"), device("cpu:0"), device("gpu:0"):
        seen[current_device()] = seen["cpu:0"]
    with device("cpu:0"), device("gpu:1"):
        assert current_device() == "gpu:1"
    assert current_device() == "gpu:0"


@pytest.mark.usefixtures("fake_gpu")
def test_a_refused_scope_leaves_the_outer_one_in_force() -> None:
    with device("gpu:0"):
        with pytest.raises(ValueError, match="tpu"), device("tpu:0"):
            pass
        assert current_device() == "gpu:0"


@pytest.mark.usefixtures("fake_gpu")
def test_a_scope_holds_for_its_own_thread() -> None:
    seen: list[str] = []
    with device("gpu:1"):
        other = threading.Thread(target=lambda: seen.append(current_device()))
        other.start()
        other.join()
    assert seen == ["gpu:0"]


def test_a_layer_is_placed_where_it_was_constructed() -> None:
    with device("/cpu:0"):
        layer = Embedding(3, 2)
    assert (layer.placement, layer.embeddings.placement) == ("cpu:0", "cpu:0")
    assert Embedding(3, 2, device="CPU").placement == "cpu:0"


# ---- Bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (640_000_000, "610.4 MiB"), (1 << 30, "1.0 GiB"),
     (5 << 40, "5.0 TiB"), (1 << 60, "1048576.0 TiB")],
)  # fmt: skip
def test_bytes_are_written_for_a_person(count: int, text: str) -> None:
    assert format_bytes(count) == text
