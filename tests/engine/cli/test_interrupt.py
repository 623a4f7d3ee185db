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


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
class TestCtrlC:
    """In a process of its own, as signals are."""

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
        assert process.returncode in (130, -signal.SIGINT)
        assert "Traceback" not in err
        if process.returncode != 130:
            assert not (tmp_path / "a.mp4").exists()
            assert main_module.main(["recover", str(tmp_path)]) == 0
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
        assert frame_count(tmp_path / "a.mp4") >= 48
