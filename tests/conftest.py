"""What every test gets: a Qt without a screen, the goldens, and a check for forgotten threads."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine.runtime.process.environment import let_threads_sleep
from tests.mounting import CannotMount, mounted
from tests.places import move_places

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if sys.platform == "win32":  # where a Qt without a screen does not look for fonts by itself
    os.environ.setdefault("QT_QPA_FONTDIR", rf"{os.environ['SYSTEMROOT']}\Fonts")
# Before PyTorch comes in; with spinning threads the tests take ten times as long on a busy machine.
let_threads_sleep()
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # More threads than processors cost small models half as much again.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))

_REPOSITORY = Path(__file__).resolve().parent.parent
_THREAD_GRACE_S = 60.0


def pytest_collection_finish() -> None:
    """What is imported and collected stays: no search for garbage needs to look through it."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Gives every test the same random numbers, whatever ran before it, and frees what is left.

    What tests of windows leave is freed here, between tests and in the main thread: Python frees
    objects that refer to each other in whichever thread it happens to look for them; a timer of Qt
    that still runs crashes the process when another thread than its own frees it.
    """
    random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    if not gc.isenabled():  # the test before was one of windows
        gc.collect()
        gc.freeze()  # what is still there stays, and need not be looked at again
        gc.enable()
    if "qapp" in getattr(item, "fixturenames", ()):
        gc.disable()


@pytest.fixture
def qtbot(qapp: object, request: pytest.FixtureRequest) -> object:
    """pytest-qt's, with patience."""
    from tests.patience import PatientBot  # Qt is not on every machine that tests the engine

    return PatientBot(request)


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fails a test that leaves a non-daemon thread running: such a thread keeps a program alive."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _THREAD_GRACE_S
    while leaked := _new_threads(before):
        if time.monotonic() > deadline:
            pytest.fail(f"threads still running after the test: {leaked}")
        time.sleep(0.01)


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests see and change nothing of the user's, nor ask, unless they say so, any hub."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        move_places(patch, folder)
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
        yield folder


@pytest.fixture(autouse=True)
def nothing_of_other_tests(own_places: Path) -> None:
    """No test finds prompts that another one has had encoded, nor latents that one has kept."""
    for name in ("embeddings", "takes"):
        for folder in own_places.glob(f"**/{name}"):
            shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    with contextlib.ExitStack() as until_end:
        try:
            disk = mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs")
            folder = until_end.enter_context(disk)
        except CannotMount as error:
            pytest.skip(f"no disk can be mounted here: {error}")
        yield folder


def _new_threads(before: set[threading.Thread]) -> list[str]:
    return [t.name for t in threading.enumerate() if t not in before and not t.daemon]


@pytest.fixture(scope="session")
def goldens() -> Path:
    """The folder of numbers to hit: all of them beside the checkout, else the copies in tests/."""
    everything = _REPOSITORY.parent / "shared" / "goldens"
    return everything if everything.is_dir() else _REPOSITORY / "tests" / "goldens"
