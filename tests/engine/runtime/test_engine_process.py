"""The engine in a process of its own: the same videos, and no way to lose one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from magi_engine.errors import EngineDiedError, ModelNotFoundError
from magi_engine.media.targets import find_partials
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Failed,
    Paused,
    PreviewReady,
    Progress,
    PromptChanged,
    Resumed,
    Stage,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.weights.layout import find_model
from tests.engine.runtime.outcomes import (
    MakeRequest,
    checked,
    finished,
    frame_count,
    frames_of,
    of_kind,
    run,
    stages_of,
)

_ROOT = Path(__file__).parents[3]
_GONE_S = 300.0

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One process for most tests, in their order: starting one takes seconds."""
    others = psutil.Process().children()  # what earlier tests keep running
    process = EngineProcess(cache_dir=tmp_path_factory.mktemp("cache"))
    process.start()
    yield process
    process.close()
    assert set(psutil.Process().children()) <= set(others)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EngineProcess]:
    threads = threading.active_count()
    process = EngineProcess(cache_dir=tmp_path / "cache", log_file=tmp_path / "engine.log")
    yield process
    process.close()
    assert threading.active_count() <= threads


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + _GONE_S
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the engine's process is still there"
        time.sleep(0.05)


def pull(events: Iterator[Event], kind: type[Event]) -> Event:
    return next(event for event in events if isinstance(event, kind))


def test_the_pocket_model_makes_the_same_video_there(shared: EngineProcess, tmp_path: Path) -> None:
    try:
        find_model("pocket")
    except ModelNotFoundError:
        pytest.skip("the pocket model is not here")
    request = GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        width=64,
        height=64,
        num_frames=30,
        prompts=(PromptChange(0, "a red circle moves to the right"),),
        sampling=SamplingOverrides(num_steps=4),
        device="cpu",
    )
    here = run(Engine(), request)
    there = checked(list(shared.generate(request, preview=True)))
    assert finished(there).frames == 30
    np.testing.assert_array_equal(frames_of(there), frames_of(here))
    assert stages_of(there) == stages_of(here)
    assert len(of_kind(there, Progress)) == len(of_kind(here, Progress))
    assert all(
        event.latents is None for event in [*of_kind(there, Progress), *of_kind(there, ChunkReady)]
    )
    assert of_kind(there, PreviewReady)[0].frames.shape == (6, 8, 8, 3)


def test_commands_reach_the_job(shared: EngineProcess, make_request: MakeRequest) -> None:
    events: list[Event] = []
    timers = [
        threading.Timer(0.3, lambda: shared.control(Resume())),
        threading.Timer(0.3, lambda: shared.control(Cancel())),
    ]
    for event in shared.generate(make_request(num_frames=None)):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 0:
            shared.control(Pause())
        elif isinstance(event, Paused):  # the second time it is cancelled while it stands still
            timers[len(of_kind(events, Paused)) - 1].start()
        elif isinstance(event, Resumed):
            shared.control(ChangePrompt(4, "a blue square"))
        elif isinstance(event, PromptChanged):
            shared.control(Pause())
    end = checked(events)[-1]
    assert isinstance(end, Cancelled)
    assert len(of_kind(events, Resumed)) == 1
    (changed,) = of_kind(events, PromptChanged)
    assert changed.text == "a blue square"
    assert frame_count(end.path) == end.frames == len(frames_of(events))


def test_an_engine_nobody_listens_to_waits(
    shared: EngineProcess, make_request: MakeRequest
) -> None:
    events = shared.generate(make_request(num_frames=None, output=None))
    pull(events, ChunkReady)
    # While another one, with somebody who listens, makes two dozen chunks.
    others = run(Engine(), make_request(num_frames=24 * 24, output=None))
    shared.control(Cancel())
    assert len(of_kind(others, ChunkReady)) == 24
    assert len(checked(list(events))) < 24  # with no bound there are 30 and more


def test_closing_the_generator_keeps_the_video_and_frees_the_engine(
    shared: EngineProcess, make_request: MakeRequest, tmp_path: Path
) -> None:
    events = shared.generate(make_request(num_frames=None))
    pull(events, ChunkReady)
    (refused,) = shared.generate(make_request(output=None))
    assert isinstance(refused, Failed)
    assert "Another video" in str(refused.error.message)
    events.close()  # type: ignore[attr-defined]
    assert frame_count(tmp_path / "out.mp4") >= 24
    finished(list(shared.generate(make_request(output=None, num_frames=1))))


def test_errors_and_questions_cross(shared: EngineProcess, make_request: MakeRequest) -> None:
    (failed,) = shared.generate(make_request(config_path=None, model="nope"))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ModelNotFoundError)
    assert "pocket" in str(failed.error.hint)
    assert {"Versions", "Devices", "Models"} <= {finding.topic for finding in shared.examine()}
    finished(list(shared.generate(make_request(output=None, num_frames=1))))
    shared.unload()
    again = list(shared.generate(make_request(output=None, num_frames=1)))
    assert Stage.LOADING_MODEL in stages_of(again)


def test_what_the_machine_has_to_offer(shared: EngineProcess) -> None:
    facts = shared.machine()
    assert facts.device_name
    assert 0 < facts.ram_free_bytes <= facts.ram_total_bytes == psutil.virtual_memory().total
    assert (facts.vram_total_bytes is None) == (not facts.device.startswith("cuda"))
    assert facts.disk_free_bytes > 0
    assert facts.cores > 0


def test_cancelling_at_once_does_not_wait_for_the_engine(
    own: EngineProcess, make_request: MakeRequest
) -> None:
    before = children()
    events = own.generate(make_request())
    own.control(Cancel())
    assert list(events) == [Cancelled(None, 0)]
    # While it is waiting for the process, too, which here never gets ready.
    stopped: list[psutil.Process] = []

    def stop_and_cancel() -> None:
        while not (new := children() - before):
            time.sleep(0.01)
        stopped.extend(psutil.Process(pid) for pid in new)
        for process in stopped:
            process.suspend()
        own.control(Cancel())

    events = own.generate(make_request())
    thread = threading.Thread(target=stop_and_cancel)
    thread.start()
    assert list(events) == [Cancelled(None, 0)]
    thread.join()
    for process in stopped:
        process.resume()


@posix_only
def test_a_killed_engine_loses_nothing_and_is_replaced(
    shared: EngineProcess, make_request: MakeRequest, tmp_path: Path
) -> None:
    events: list[Event] = []
    # Longer than what a part's name keeps of it.
    request = make_request(num_frames=None, output=str(tmp_path / ("ü" * 100 + ".mp4")))
    for event in shared.generate(request):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 2:
            with shared.changed:
                pid = shared.living().pid
            os.kill(pid, signal.SIGKILL)
    failed = checked(events)[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineDiedError)
    assert "memory" in str(failed.error.message)
    assert failed.path == tmp_path / ("ü" * 84 + ".mp4")
    # One chunk may still have been on its way into the file, not more.
    assert frame_count(failed.path) == failed.frames >= 48
    assert find_partials(tmp_path) == []
    finished(list(shared.generate(make_request(output=None, num_frames=1))))


def test_closing_during_a_job_keeps_the_video_and_leaves_nothing_behind(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    process = EngineProcess(cache_dir=tmp_path / "cache")
    before, threads = children(), threading.active_count()
    handles = psutil.Process().num_fds() if sys.platform != "win32" else 0
    for number in range(3):
        finished(list(process.generate(make_request(output=None, num_frames=1, seed=number))))
    closing = threading.Thread(target=process.close)
    events: list[Event] = []
    for event in process.generate(make_request(num_frames=None)):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 0:
            closing.start()
    closing.join()
    end = checked(events)[-1]
    assert isinstance(end, Cancelled)
    assert frame_count(end.path) == end.frames >= 24
    assert children() == before
    assert threading.active_count() <= threads
    if sys.platform != "win32":
        assert psutil.Process().num_fds() == handles


@posix_only
def test_closing_ends_a_process_that_stands_still_and_keeps_the_video(
    shared: EngineProcess,
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last test that the shared one is there for."""
    monkeypatch.setattr(EngineProcess, "end_s", 0.5)
    events: list[Event] = []
    closing = threading.Thread(target=shared.close)
    pid = 0
    for event in shared.generate(make_request(num_frames=None)):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 1:
            with shared.changed:
                pid = shared.living().pid
            os.kill(pid, signal.SIGSTOP)  # as a step does that takes longer than anybody waits
            closing.start()
    closing.join()
    end = checked(events)[-1]
    assert isinstance(end, Cancelled)
    assert end.path == tmp_path / "out.mp4"
    assert frame_count(end.path) == end.frames >= 24
    assert pid not in children()
    assert list(shared.generate(make_request())) == [Cancelled(None, 0)], "it is closed"


@pytest.mark.parametrize("executable", ["/nowhere/python", "/bin/false"])
@posix_only
def test_an_engine_that_does_not_start_says_so(
    own: EngineProcess, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    (failed,) = own.generate(make_request())
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineDiedError)
    assert "could not be started" in str(failed.error.message)


_FROZEN = """#!/bin/sh
exec {python} -c 'import sys; sys.path[:] = {path}
from magi_engine.runtime.process.launch import begin_process
begin_process(sys.argv)
sys.exit("this is the program itself")' "$@"
"""


@posix_only
def test_a_frozen_program_is_its_own_engine(
    own: EngineProcess, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    path = "[" + ", ".join(f'"{folder}"' for folder in sys.path) + "]"
    program.write_text(_FROZEN.format(python=shlex.quote(sys.executable), path=path))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    finished(list(own.generate(make_request(num_frames=1))))
    (failed,) = own.generate(make_request(config_path=None, model="nope"))
    assert isinstance(failed, Failed)
    assert "it failed" in (tmp_path / "engine.log").read_text(encoding="utf-8")
    alone = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert "the program itself" in alone.stderr


_BARE = """#!/bin/sh
exec {python} -c 'import os, sys; sys.path[:] = {path}
from magi_engine.runtime.process.launch import begin_process
sys.frozen = True
begin_process(sys.argv)
print("nobody reads this", file=sys.stderr, flush=True)
open(sys.argv[1], "w").write(os.environ.get("LD_LIBRARY_PATH", "nothing"))' "$@" >&- 2>&-
"""


@posix_only
@pytest.mark.parametrize("before", ["nothing", "/the/users"])
def test_a_frozen_program_needs_no_console_and_hides_its_libraries_from_others(
    tmp_path: Path, before: str
) -> None:
    program, answer = tmp_path / "program", tmp_path / "answer"
    path = "[" + ", ".join(f'"{folder}"' for folder in sys.path) + "]"
    program.write_text(_BARE.format(python=shlex.quote(sys.executable), path=path))
    program.chmod(0o755)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": f"/ours:{os.environ.get('LD_LIBRARY_PATH', '')}",
    }
    if before != "nothing":
        environment["LD_LIBRARY_PATH_ORIG"] = before
    done = subprocess.run([program, answer], env=environment, timeout=300)
    assert done.returncode == 0
    assert answer.read_text(encoding="utf-8") == before


# Everything at module level: a child that ran its parent's main module would start yet another.
_PARENT = """
import sys
from pathlib import Path
from magi_engine.runtime.job.events import ChunkReady
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.request.request import GenerationRequest
import psutil
process = EngineProcess(cache_dir=Path(sys.argv[2]))
for event in process.generate(GenerationRequest.from_json(Path(sys.argv[1]).read_text("utf-8"))):
    if isinstance(event, ChunkReady) and event.index == 1:
        print(psutil.Process().children()[0].pid, "torch" in sys.modules, flush=True)
"""


@posix_only
def test_an_engine_whose_parent_is_killed_finishes_the_file_and_goes(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    (tmp_path / "request.json").write_text(make_request(num_frames=None).to_json())
    (tmp_path / "parent.py").write_text(_PARENT)
    parent = subprocess.Popen(
        [sys.executable, "parent.py", "request.json", "cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid, torch_imported = parent.stdout.readline().split()
    assert torch_imported == "False"
    parent.kill()
    parent.communicate(timeout=300)
    wait_until_gone(int(pid))
    assert frame_count(tmp_path / "out.mp4") >= 48
