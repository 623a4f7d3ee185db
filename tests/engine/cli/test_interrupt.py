"""Ctrl-C, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from magi_engine.cli import main as main_module
from magi_engine.media.frames import decode_frames


def frame_count(path: Path) -> int:
    return sum(1 for _ in decode_frames(path))


# A computation that takes for ever in one operation, where no Python runs.
_STUCK = """
import hashlib
from magi_engine.cli import running
from magi_engine.cli.running import StopOnSignal
from magi_engine.cli.display import choose_display

running._PATIENCE_S = 0.5
with StopOnSignal(choose_display(False, True)):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", (1 << 31) - 1)
"""


# The program, which says when it has begun: what comes before is Python's own start.
_BEGINS = """
import signal, sys

real = signal.signal
real(signal.SIGINT, signal.default_int_handler)  # as at a terminal, however the tests were started

def told(number, how):
    previous = real(number, how)
    print("begun", flush=True)
    return previous

signal.signal = told
sys.argv = ["magi", "models", "list"]
from magi_engine.__main__ import run
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
class TestCtrlC:
    """In a process of its own, as signals are."""

    @pytest.mark.parametrize(
        ("signals", "code"), [([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGINT], 130)]
    )
    def test_an_operation_without_an_end_is_ended(self, signals: list[int], code: int) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", _STUCK],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signals[0])
        assert "Stopping" in process.stderr.readline()
        for number in signals[1:]:
            process.send_signal(number)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code
        assert "Traceback" not in out + err

    def test_while_the_program_comes_in_nothing_is_said(self) -> None:
        for delay_s in (0.0, 0.05, 0.15, 0.3, 0.5):
            with subprocess.Popen(
                [sys.executable, "-c", _BEGINS],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                time.sleep(delay_s)  # another moment each time
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=300)
            assert process.returncode in (-signal.SIGINT, 130, 0)
            assert "Traceback" not in err

    def _start(self, config: Path, folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "magi_engine", "generate", "--config", str(config)]
        command += ["--until-stopped", "--prompt", "", "--json", "-o", "a.mp4", "--device", "cpu"]
        environment = os.environ | {"PYTHONPATH": str(Path(main_module.__file__).parents[2])}
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait_for(self, process: subprocess.Popen[str], kind: str, count: int = 1) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            count -= json.loads(line)["event"] == kind
            if count == 0:
                return
        pytest.fail(f"no {kind}: {process.communicate()[1]}")

    def test_the_first_keeps_the_video(self, tiny_model_config: Path, tmp_path: Path) -> None:
        process = self._start(tiny_model_config, tmp_path)
        self._wait_for(process, "chunk", 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 130
        last = json.loads(out.splitlines()[-1])
        assert last["event"] == "cancelled"
        assert "Ctrl-C again" in err
        assert "Traceback" not in err
        assert frame_count(tmp_path / "a.mp4") == last["frames"] >= 48

    def test_the_second_ends_at_once_and_loses_at_most_the_chunk_that_was_being_written(
        self, tiny_model_config: Path, tmp_path: Path
    ) -> None:
        process = self._start(tiny_model_config, tmp_path)
        self._wait_for(process, "chunk", 3)
        # Stopped, the process gets both signals before it can act on the first.
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            time.sleep(0.001)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 130
        assert "Traceback" not in err
        if not (tmp_path / "a.mp4").exists():
            assert main_module.main(["recover", str(tmp_path)]) == 0
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
        assert frame_count(tmp_path / "a.mp4") >= 48
