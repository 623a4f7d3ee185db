"""How fast the shipped model is on the CPU, as a user sees it: run with ``-m bench -s``."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from magi_engine.runtime.choice import model_config

FIRST_CHUNK_S = 6.0
CHUNK_S = 4.0


@pytest.mark.bench
def test_chunks_come_in_time(tmp_path: Path) -> None:
    """On two cores the first chunk takes at most 6 s after start-up, each further one 4 s.

    Start-up is what every command pays: until PyTorch is there and the job begins.
    """
    frames = model_config("pocket", None)[1].runtime_config.num_frames
    assert frames >= 72, "too short to tell the pace"
    command = [sys.executable, "-m", "magi_engine", "generate", "--model", "pocket", "--json"]
    command += ["--prompt", "A large red circle moves to the right on a white background."]
    command += ["--seed", "1", "--device", "cpu", "-o", str(tmp_path / "out.mp4")]
    started = time.monotonic()
    moments: list[tuple[float, str]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] != "progress":
                moments.append((time.monotonic() - started, event.get("stage", event["event"])))
    assert process.returncode == 0
    for moment, name in moments:
        print(f"{moment:7.2f} s  {name}")
    start_up = moments[0][0]
    chunks = [moment for moment, name in moments if name == "chunk"]
    paces = [after - before for before, after in itertools.pairwise(chunks)]
    first = chunks[0] - start_up
    print(f"start-up {start_up:.2f} s, first chunk {first:.2f} s later, then {paces}")
    assert first <= FIRST_CHUNK_S
    assert max(paces) <= CHUNK_S
