"""Settings and helpers that all tests share."""

from __future__ import annotations

import os
import pickle
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import fake_device
import pytest
from devices import Device, names_to_run, open_device
from hypothesis import settings

from fastembed_layer import set_threads
from fastembed_layer.backends import arrays

BACKENDS = pytest.StashKey[dict[str, str | None]]()

# No deadlines: the first example of a kernel's new variant waits for the compiler.
settings.register_profile("local", deadline=None, max_examples=30)
settings.register_profile("ci", deadline=None, max_examples=30, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--backends` names the backends of the suite of operations."""
    parser.addoption("--backends", help="names, with commas between them, of: cpu, cuda-on-cpu, cuda; they have to run")
    parser.addoption("--long", action="store_true", help="tests that attack go on for minutes")
    parser.addoption("--nvrtc", action="store_true", help="NVIDIA's compiler, of the extra test-cuda, has to be there")


def pytest_configure(config: pytest.Config) -> None:
    """A backend that is named and cannot run is an error, not a skip."""
    try:
        config.stash[BACKENDS] = names_to_run(config.getoption("--backends"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for a `device` over all backends."""
    refusals = metafunc.config.stash[BACKENDS]
    if "device" in metafunc.fixturenames:
        names = [name for name, refusal in refusals.items() if refusal is None]
        metafunc.parametrize("device", names, indirect=True, scope="session")
    if "refusal" in metafunc.fixturenames:
        metafunc.parametrize("refusal", refusals.values(), ids=refusals.keys())


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Device:
    """A backend with its operations."""
    return open_device(request.param)


@pytest.fixture(autouse=True)
def _gpu_for_those_who_ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the GPU from tests that do not ask for a device: by default their layers would go there."""
    if not {"device", "fake_gpu"} & set(request.fixturenames):
        monkeypatch.setattr(arrays.backend_for("gpu"), "refusal", lambda: "This test did not ask for a GPU.")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # for the processes that it starts


@pytest.fixture(autouse=True)
def _default_threads_afterwards() -> Iterator[None]:
    yield
    set_threads(None)


def fork_and_run(task: Callable[[], Any], patience: float = 60.0) -> Any:
    """Run a task in a forked child and return what it returned.

    Raises RuntimeError with the child's traceback if the task raised, if the child died, or if it did not end
    within `patience` seconds.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn that a process with threads forks: it is what these tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _answer(task, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        is_ready = bool(select.select([answers], [], [], patience)[0])
        if not is_ready:
            os.kill(child, signal.SIGKILL)
        answer = answers.read()
    _, status = os.waitpid(child, 0)
    has_ended, result = pickle.loads(answer) if answer else (False, f"no answer, status {status}")
    if not has_ended:
        raise RuntimeError(f"the child failed: {result}")
    return result


def _answer(task: Callable[[], Any], writer: int) -> None:
    """Run the task, write its result or its traceback, and end the child without any of the parent's clean-up."""
    try:
        answer = pickle.dumps((True, task()))
    except BaseException:
        answer = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writer, "wb") as answers:
        answers.write(answer)
    os._exit(0)


@pytest.fixture
def run_in_child() -> Callable[..., Any]:
    """`fork_and_run`, where the system can fork."""
    if not hasattr(os, "fork"):
        pytest.skip("the system cannot fork")
    return fork_and_run


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[fake_device.FakeDevice]:
    """Two GPUs that do not exist, ``"gpu:0"`` and ``"gpu:1"``, with much memory."""
    device = fake_device.FakeDevice()
    monkeypatch.setattr(fake_device, "BACKEND", device)
    monkeypatch.setitem(arrays.BACKENDS, "gpu", "fake_device")
    arrays._load_backend.cache_clear()
    yield device
    arrays._load_backend.cache_clear()
