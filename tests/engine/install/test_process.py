"""Tasks in their own process, against a real server on the loopback."""

from __future__ import annotations

import json
import random
import shutil
import socket
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from magi_engine.config.registry import Registry
from magi_engine.errors import OutputError
from magi_engine.install.process import InstallProcess
from magi_engine.install.status import (
    ModelState,
    accept_licence,
    is_accepted,
    model_statuses,
    remove_model,
)
from magi_engine.install.tasks import (
    Download,
    Import,
    Phase,
    Task,
    TaskCancelled,
    TaskDone,
    TaskEvent,
    TaskFailed,
    TaskPaused,
    TaskProgress,
    TaskResumed,
    Verify,
)
from magi_engine.install.verifying import verify_files
from magi_engine.resources import resource_path
from magi_engine.runtime.process.control import Cancel, Pause, Resume
from magi_engine.weights.layout import entry_paths
from magi_engine.weights.manifest import Manifest
from tests.engine.install.hub_server import HubServer

_NAME = "4.5B-distill"
_ENTRY = Registry.load().find(_NAME)
_WEIGHTS = "ckpt/magi/4.5B_distill/inference_weight.distill/model.safetensors"
_SLOW_S = 0.5
"""Between two pieces, so that a download cannot end before it has heard what it is told."""


def release_files(size_bytes: int = 6_000_000) -> dict[str, bytes]:
    """What the hub has of a model, small: of the parts only the text encoder is one."""
    text = resource_path("pocket", "t5")
    files = {f"ckpt/t5/t5-v1_1-xxl/{p.name}": p.read_bytes() for p in text.iterdir()}
    vae = resource_path("pocket", "vae")
    files |= {f"ckpt/vae/{p.name}": p.read_bytes() for p in vae.iterdir()}
    return {**files, _WEIGHTS: safetensors_file(size_bytes)}


def safetensors_file(size_bytes: int, seed: int = 1) -> bytes:
    """One tensor of random bytes, a little smaller than the whole file."""
    count = size_bytes - 128
    tensor = {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}
    header = json.dumps({"x": tensor}).encode().ljust(120)
    return len(header).to_bytes(8, "little") + header + random.Random(seed).randbytes(count)


def put_special_tokens(models_dir: Path) -> None:
    """They do not come from the hub; here they have come already."""
    release = _ENTRY.release
    assert release is not None
    models_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(resource_path("pocket", "special_tokens.npz"), models_dir)
    manifest = Manifest.load(models_dir)
    manifest.note("special_tokens.npz", release.special_tokens.sha256, "test")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    server = HubServer(release_files())
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    put_special_tokens(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def process(models_dir: Path) -> Iterator[InstallProcess]:
    process = InstallProcess(models_dir, models_dir.parent / "cache", models_dir.parent / "log")
    yield process
    process.close()


def do(process: InstallProcess, task: Task) -> TaskEvent:
    *_, last = process.run(task)
    assert isinstance(last, TaskDone | TaskCancelled | TaskFailed)
    return last


def state(models_dir: Path, name: str = _NAME) -> ModelState:
    return next(s.state for s in model_statuses(models_dir) if s.entry.name == name)


def test_a_download_is_paused_resumed_and_ends_ready(
    server: HubServer, process: InstallProcess, models_dir: Path
) -> None:
    server.piece, server.pause_s = 1 << 15, 0.005
    assert state(models_dir) is ModelState.ABSENT
    seen: list[TaskEvent] = []
    run = process.run(Download(_NAME))
    for event in run:
        seen.append(event)
        begun = isinstance(event, TaskProgress) and event.done_bytes > 1_000_000 and event.files
        if begun and not any(isinstance(e, TaskPaused) for e in seen):
            server.pause_s = _SLOW_S
            run.control(Pause())
        if isinstance(event, TaskPaused):
            assert state(models_dir) is ModelState.PARTLY
            server.pause_s = 0
            run.control(Resume())
    assert isinstance(seen[-1], TaskDone), seen[-1]
    assert "is ready" in str(seen[-1].message)
    assert any(isinstance(e, TaskResumed) for e in seen)
    assert {e.phase for e in seen if isinstance(e, TaskProgress)} >= {
        Phase.ASKING,
        Phase.DOWNLOADING,
    }
    assert state(models_dir) is ModelState.READY
    assert sum(server.served.values()) == sum(map(len, server.files.values()))


def test_a_cancelled_download_goes_on_where_it_was(
    server: HubServer, process: InstallProcess, models_dir: Path
) -> None:
    server.piece, server.pause_s = 1 << 15, 0.005
    event = None
    run = process.run(Download(_NAME))
    for event in run:
        if isinstance(event, TaskProgress) and any(
            file.name == _WEIGHTS and file.done_bytes > 1_000_000 for file in event.files
        ):
            server.pause_s = _SLOW_S
            run.control(Cancel())
    assert isinstance(event, TaskCancelled)
    status = next(s for s in model_statuses(models_dir) if s.entry.name == _NAME)
    assert status.state is ModelState.PARTLY
    server.pause_s = 0
    assert server.went_on(models_dir, lambda: do(process, Download(_NAME)))
    assert server.starts[_WEIGHTS][-1] > 900_000
    assert state(models_dir) is ModelState.READY


def test_damage_is_found_and_mended(
    server: HubServer, process: InstallProcess, models_dir: Path
) -> None:
    do(process, Download(_NAME))
    data = bytearray((models_dir / _WEIGHTS).read_bytes())
    data[12345] ^= 1
    (models_dir / _WEIGHTS).write_bytes(data)
    assert state(models_dir) is ModelState.UNCHECKED, "it was changed since it was verified"
    # Not by a task: what stands for the special tokens here is not what was published.
    paths = [path for path in Manifest.load(models_dir).files if path.startswith("ckpt")]
    checked = [*verify_files(models_dir, paths, {})]
    assert [c.path for c in checked if c.damaged] == [_WEIGHTS]
    assert state(models_dir) is ModelState.DAMAGED
    server.served.clear()
    assert isinstance(do(process, Download(_NAME)), TaskDone)
    assert set(server.served) == {_WEIGHTS}
    assert state(models_dir) is ModelState.READY


def test_an_official_folder_is_used_in_place(
    process: InstallProcess, models_dir: Path, tmp_path: Path
) -> None:
    official = tmp_path / "MAGI-1"
    shutil.rmtree(models_dir)
    tokens = resource_path("pocket", "special_tokens.npz").read_bytes()
    for path, data in {**release_files(1000), "special_tokens.npz": tokens}.items():
        (official / path).parent.mkdir(parents=True, exist_ok=True)
        (official / path).write_bytes(data)
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = do(process, Import(empty))
    assert isinstance(nothing, TaskFailed)
    assert "No released model" in str(nothing.error)
    done = do(process, Import(official))
    assert isinstance(done, TaskDone), done
    assert str(done.message) == f"Ready to use: {_ENTRY.title}."
    assert state(models_dir) is ModelState.READY
    assert entry_paths(_ENTRY, models_dir).transformer.is_symlink()
    assert state(models_dir, "4.5B-base") is ModelState.ABSENT
    assert "could not be asked" in str(do(process, Verify(_NAME)))
    for path in remove_model(_NAME, models_dir):
        assert path.is_relative_to(models_dir)


def test_a_damaged_shared_part_does_not_make_a_model_damaged_that_is_not_here(
    models_dir: Path,
) -> None:
    manifest = Manifest.load(models_dir)
    stamp = manifest.files["special_tokens.npz"].stamp
    manifest.note_damage("special_tokens.npz", "0" * 64, "test", stamp)
    assert state(models_dir) is ModelState.ABSENT


def test_what_the_hub_does_not_have_is_said(server: HubServer, process: InstallProcess) -> None:
    server.files.clear()
    failed = do(process, Download(_NAME))
    assert isinstance(failed, TaskFailed)
    assert "does not have" in str(failed.error.message)


def test_a_task_can_be_cancelled_before_it_begins(process: InstallProcess) -> None:
    run = process.run(Verify(_NAME))
    run.control(Cancel())
    assert isinstance([*run][-1], TaskCancelled)


def test_a_licence_is_accepted_for_the_whole_release(tmp_path: Path) -> None:
    assert not is_accepted(_NAME, tmp_path)
    assert is_accepted("pocket", tmp_path), "there is nothing to accept"
    accept_licence(_NAME, tmp_path)
    assert is_accepted("24B-base", tmp_path)


def test_a_folder_that_cannot_be_written_is_said(server: HubServer, tmp_path: Path) -> None:
    blocked = tmp_path / "file" / "models"
    blocked.parent.write_text("not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        accept_licence(_NAME, blocked)
    process = InstallProcess(blocked, tmp_path / "cache", tmp_path / "log")
    failed = do(process, Download(_NAME))
    assert isinstance(failed, TaskFailed)
    assert isinstance(failed.error, OutputError), failed.error


def test_two_downloads_at_once_do_not_meet(
    server: HubServer, process: InstallProcess, models_dir: Path
) -> None:
    server.piece, server.pause_s = 1 << 15, 0.005
    first = iter(process.run(Download(_NAME)))
    for event in first:
        if isinstance(event, TaskProgress) and event.phase is Phase.DOWNLOADING:
            server.pause_s = _SLOW_S
            break
    second = InstallProcess(models_dir, models_dir.parent / "cache", models_dir.parent / "log")
    failed = do(second, Download(_NAME))
    assert isinstance(failed, TaskFailed)
    assert "Another program is changing" in str(failed.error.message)
    process.close()  # killed: what it held must not bar the next one
    assert isinstance(first, Generator)
    first.close()
    server.pause_s = 0
    assert isinstance(do(second, Download(_NAME)), TaskDone)


def test_without_a_network_the_answer_comes_soon(
    process: InstallProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        do(process, Verify(_NAME))  # it has started, which a busy machine takes its time for
        begun = time.monotonic()
        failed = do(process, Download(_NAME))
    assert time.monotonic() - begun < 15  # the library alone takes more than 20 s
    assert isinstance(failed, TaskFailed)
    assert "cannot be reached" in str(failed.error.message)
