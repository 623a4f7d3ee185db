"""What every test gets: a Qt without a screen, the goldens, and a check for forgotten threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magi_engine.runtime.threads import let_threads_sleep

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Before PyTorch comes in; with spinning threads the tests take ten times as long on a busy machine.
let_threads_sleep()

_REPOSITORY = Path(__file__).resolve().parent.parent
_THREAD_GRACE_S = 2.0


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


def _new_threads(before: set[threading.Thread]) -> list[str]:
    return [t.name for t in threading.enumerate() if t not in before and not t.daemon]


@pytest.fixture(scope="session")
def goldens() -> Path:
    """The folder of numbers to hit: all of them beside the checkout, else the copies in tests/."""
    everything = _REPOSITORY.parent / "shared" / "goldens"
    return everything if everything.is_dir() else _REPOSITORY / "tests" / "goldens"
