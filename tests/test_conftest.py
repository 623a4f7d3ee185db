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


def test_a_forgotten_thread_fails_the_test(tmp_path: Path) -> None:
    harness = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    patient = "_THREAD_GRACE_S = 60.0\n"
    assert patient in harness
    (tmp_path / "conftest.py").write_text(harness.replace(patient, "_THREAD_GRACE_S = 0.2\n"))
    (tmp_path / "test_threads.py").write_text(THREADS)
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert "threads still running after the test: ['lost']" in answer.stdout
    assert "3 passed, 1 error" in answer.stdout


def test_the_goldens_are_a_folder_of_this_project(
    goldens: Path, pytestconfig: pytest.Config
) -> None:
    root = pytestconfig.rootpath
    assert goldens in (root.parent / "shared" / "goldens", root / "tests" / "goldens")
