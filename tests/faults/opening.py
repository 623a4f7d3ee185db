"""Opens the files it is given as the program does, and says of each how that went.

``python -m tests.faults.opening KIND FILE...``: a line of JSON per file.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from magi_engine.errors import MagiError

_MOST_CPU_S = 60
"""Then the system ends it."""


def _media(path: Path) -> None:
    from magi_engine.media.clips import ClipPart
    from magi_engine.media.images import read_image
    from magi_engine.media.info import probe
    from magi_engine.media.metadata import read_metadata
    from magi_engine.runtime.request.metadata import read_request
    from tests.reading import read_video

    for opener in (
        probe,
        lambda p: read_image(p, 64, 64),
        lambda p: read_video(p, 64, 64, 24),
        lambda p: read_video(p, 64, 64, 24, ClipPart.start(0.5)),
        read_metadata,
        read_request,
    ):
        _opened(opener, path)


def _configurations(path: Path) -> None:
    from magi_engine.config.added import AddedModels
    from magi_engine.config.official import MagiConfig
    from magi_engine.config.registry import Registry
    from magi_engine.config.vae import VaeConfig
    from magi_engine.runtime.machine.speeds import Speeds
    from magi_engine.runtime.planning.plan import plan
    from magi_engine.runtime.request.metadata import read_request
    from magi_engine.runtime.request.request import GenerationRequest, Mode
    from magi_engine.takes.store import TakeStore
    from magi_engine.weights.files import weight_files
    from magi_engine.weights.manifest import Manifest
    from tests.faults.samples import MACHINE

    match path.name:
        case "config.json":
            _opened(VaeConfig.from_json, path)
        case "magi_config.json":
            _opened(MagiConfig.from_json, path)
            request = GenerationRequest(Mode.T2V, "x", 64, 64, 24, config_path=str(path))
            _opened(lambda _: plan(request, MACHINE), path)
        case "request.json":
            _opened(lambda p: plan(read_request(p), MACHINE), path)
        case "models.json":
            from magi_engine.config.added import user_models_file

            user_models_file().parent.mkdir(parents=True, exist_ok=True)
            user_models_file().write_bytes(path.read_bytes())
            _opened(lambda _: AddedModels.load(), path)
            _opened(lambda _: [e.files for e in Registry.load().entries], path)
            _opened(lambda p: _statuses(p.parent), path)
        case "verified.json":
            _opened(lambda p: _held(Manifest.load(p.parent)), path)
            _opened(lambda p: _statuses(p.parent), path)
        case "model.safetensors.index.json":
            _opened(weight_files, path)
        case "speeds.json":
            _opened(lambda p: Speeds.load(p.parent), path)
            request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 24)
            _opened(lambda p: plan(request, MACHINE, cache_dir=p.parent), path)
        case "take.json":
            _opened(_gone_on_from, path)
        case "limit.json":
            _opened(lambda p: TakeStore(p.parent).limit_bytes, path)
        case other:
            raise ValueError(other)


def _gone_on_from(path: Path) -> None:
    from magi_engine.cli.main import main as magi
    from magi_engine.config.places import default_takes_dir
    from magi_engine.runtime.planning.plan import plan
    from magi_engine.runtime.request.branch import Earlier
    from magi_engine.takes.store import TakeStore
    from tests.faults.samples import MACHINE

    store = TakeStore(default_takes_dir())
    about = store.folder / "20260101-000000-abcdef" / path.name
    about.parent.mkdir(parents=True, exist_ok=True)
    about.write_bytes(path.read_bytes())
    assert magi(["takes", "list"]) == 0, "the others are listed"
    earlier = Earlier.of_take(store.find(about.parent.name))
    for request in (earlier.resumed(), earlier.redone(1), earlier.extended(1.0)):
        plan(request, MACHINE)


def _statuses(models_dir: Path) -> object:
    from magi_engine.install.status import model_statuses

    return model_statuses(models_dir)


def _held(manifest: object) -> None:
    from magi_engine.weights.manifest import Manifest

    assert isinstance(manifest, Manifest)
    for path in manifest.files:
        manifest.holds(path)
    manifest.damaged()


def _checkpoints(path: Path) -> None:
    from magi_engine.weights.checkpoint import Checkpoint, read_state_dict

    _opened(lambda p: Checkpoint.open(p).locate(), path)
    _opened(read_state_dict, path)


_OPENERS = {"media": _media, "configurations": _configurations, "checkpoints": _checkpoints}
_refusals: list[str] = []


def _opened(how: Callable[[Path], object], path: Path) -> None:
    try:
        how(path)
    except MagiError as error:
        _refusals.append(str(error))


def _peak_bytes() -> int:
    """Since the last call, in Linux' own file, which can be set back."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return int(peak.split()[1]) << 10


def main(kind: str, files: list[str]) -> None:
    """Open them; what libraries print is kept from the lines."""
    from magi_engine.runtime.planning.plan import plan
    from magi_engine.runtime.request.request import GenerationRequest, Mode
    from tests.faults.samples import MACHINE

    said = sys.stdout
    opener = _OPENERS[kind]
    # Everything is imported: PyTorch's CUDA build alone takes more than a file may.
    plan(GenerationRequest(Mode.T2V, "pocket", 64, 64, 24), MACHINE)
    with (
        contextlib.suppress(MagiError, ValueError, KeyError, OSError),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        opener(Path(files[0]))
    for file in files:
        _refusals.clear()
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + _MOST_CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        _peak_bytes()
        before, began = _peak_bytes(), time.process_time()
        outcome = "opened"
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                opener(Path(file))
                outcome = "refused" if _refusals else "opened"
            except BaseException:
                outcome = traceback.format_exc()[-1500:]
        told = {
            "outcome": outcome,
            "said": " | ".join(dict.fromkeys(_refusals))[:1000],
            "cpu_s": round(time.process_time() - began, 2),
            "bytes": _peak_bytes() - before,
        }
        print(json.dumps(told), file=said, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
