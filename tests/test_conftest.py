"""The harness itself: what it promises to catch, it catches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

THREADS = """
import threading

def start(daemon):
    threading.Thread(target=threading.Event().wait, args=(8,), daemon=daemon, name="lost").start()

def test_leaves_a_thread():
    start(daemon=False)

def test_leaves_a_daemon():
    start(daemon=True)

def test_joins_its_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
"""

GARBAGE = """
import gc
import threading

from PySide6.QtCore import QTimer

def test_leaves_a_timer_in_a_cycle(qapp):
    timer = QTimer()
    timer.start(10)
    timer.itself = timer

def test_frees_objects_in_a_thread():
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
"""


def test_a_forgotten_thread_fails_the_test_and_objects_of_qt_are_freed_in_the_main_thread(
    tmp_path: Path,
) -> None:
    """A timer that another thread frees crashes the process."""
    harness = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    patient = "_THREAD_GRACE_S = 60.0\n"
    assert patient in harness
    (tmp_path / "conftest.py").write_text(harness.replace(patient, "_THREAD_GRACE_S = 0.2\n"))
    (tmp_path / "test_garbage.py").write_text(GARBAGE)
    (tmp_path / "test_threads.py").write_text(THREADS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "threads still running after the test: ['lost']" in answer.stdout
    assert "5 passed, 1 error" in answer.stdout


def test_the_goldens_are_a_folder_of_this_project(
    goldens: Path, pytestconfig: pytest.Config
) -> None:
    root = pytestconfig.rootpath
    assert goldens in (root.parent / "shared" / "goldens", root / "tests" / "goldens")
