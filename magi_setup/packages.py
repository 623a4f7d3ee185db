"""Which files an environment is made of, and fetching them.

uv says which file of every package fits and where it is; this fetches them so that an interrupted
download goes on where it stopped, and compares each with the hashes of the release.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import logging
import re
import ssl
import threading
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from magi_engine.errors import DISK_FULL
from magi_setup.bundle import Bundle
from magi_setup.environments import normal_name
from magi_setup.errors import (
    BuildError,
    DamagedPackageError,
    NetworkError,
    SetupCancelled,
    disk_full,
)
from magi_setup.uv import POLL_S, Uv

logger = logging.getLogger(__name__)

_LOST = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)
_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30
_TRIES = 4
_AT_ONCE = 4
TRY_AGAIN = "Connect to the network, then try again: what was fetched is kept."
_TORCHS_OWN = re.compile(r"torch$|triton|nvidia-|cuda-(?!core|pathfinder)|pytorch-triton")


@dataclass(frozen=True)
class WheelFile:
    """One file of a package, where it is and what it has to be."""

    name: str
    version: str
    url: str
    sha256: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """As in its address."""
        return urllib.parse.unquote(Path(urllib.parse.urlsplit(self.url).path).name)

    @property
    def pin(self) -> str:
        """The line of a requirements file that allows this file only."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def belongs_to_torch(name: str) -> bool:
    """Whether a package differs between builds of torch."""
    return _TORCHS_OWN.match(name) is not None


def resolve(
    bundle: Bundle, uv: Uv, python: Path, flavor: str, folder: Path | None, work: Path
) -> list[WheelFile]:
    """The files of an environment for ``python`` with torch's build ``flavor``.

    Args:
        folder: of wheels to take instead of the network.
        work: for a file of input.

    Raises:
        NetworkError: packages could not be looked up.
        BuildError: ``folder`` lacks some.
        DamagedPackageError: what is offered is not what the release was made with.
    """
    wanted = work / "wanted.txt"
    wanted.write_text("\n".join([*bundle.requirements, bundle.torch, ""]), encoding="utf-8")
    source = ["--torch-backend", flavor]
    if folder is not None:
        source = ["--offline", "--no-index", "--find-links", str(folder)]
    answer = uv.run(
        *("pip", "compile", str(wanted), "--format", "pylock.toml", "--no-header"),
        *("--python", str(python), "--only-binary", ":all:", *source),
    )
    if answer.returncode != 0:
        if folder is not None:
            refuse_damaged(bundle, flavor, folder)
            raise BuildError(
                f"Not all packages are in {folder}.", "Choose a folder with all of them."
            )
        raise NetworkError("The packages could not be looked up.", TRY_AGAIN)
    files = [_wheel_file(package) for package in tomllib.loads(answer.stdout)["packages"]]
    check_against_release(bundle, flavor, files)
    return files


def check_against_release(bundle: Bundle, flavor: str, files: list[WheelFile]) -> None:
    """Hold what is offered against the hashes of the release.

    Raises:
        DamagedPackageError: one differs, or is none of them.
    """
    allowed = bundle.locked_hashes(flavor)
    for file in files:
        known = allowed.get(f"{file.name}=={file.version}".lower())
        if known is None and belongs_to_torch(file.name) and not bundle.has_torch_hashes(flavor):
            continue  # held to the hash its own index gives
        if known is None or file.sha256 not in known:
            raise _not_ours(file.name)


def refuse_damaged(bundle: Bundle, flavor: str, folder: Path) -> None:
    """Hash the wheels of a folder that carry the name of one of the release's.

    Raises:
        DamagedPackageError: one is not what the release was made with.
    """
    allowed = bundle.locked_hashes(flavor)
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        known = allowed.get(f"{normal_name(name)}=={version}".lower())
        if known is not None and sha256_of(path) not in known:
            raise _not_ours(normal_name(name))


def fetch(files: list[WheelFile], target: Path, cancelled: threading.Event) -> Iterator[int]:
    """Bring files into ``target``; yields the bytes that are there, several times a second.

    Raises:
        NetworkError, DamagedPackageError, DiskFullError, SetupCancelled
    """
    target.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [pool.submit(_fetch_file, file, target, stop) for file in files]
        try:
            while not all(job.done() for job in jobs):
                if cancelled.wait(POLL_S):
                    raise SetupCancelled
                for job in jobs:
                    if job.done():
                        job.result()
                yield sum(_here(file, target) for file in files)
            for job in jobs:
                job.result()
        finally:
            stop.set()
            for job in jobs:
                job.cancel()
    yield sum(_here(file, target) for file in files)


def bytes_missing(files: list[WheelFile], target: Path) -> int:
    """What is still to be fetched."""
    return sum(max(file.size_bytes - _here(file, target), 0) for file in files)


def _wheel_file(package: dict) -> WheelFile:
    wheel = package["wheels"][0]
    size = wheel.get("size")
    return WheelFile(
        package["name"],
        package["version"],
        wheel["url"],
        wheel["hashes"]["sha256"],
        size if size is not None else _ask_size(wheel["url"]),
    )


def _ask_size(url: str) -> int:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, http.client.HTTPException, TypeError) as error:
        raise NetworkError("The packages could not be looked up.", TRY_AGAIN) from error


def _here(file: WheelFile, target: Path) -> int:
    for name in (file.filename, f"{file.filename}.part"):
        try:
            return (target / name).stat().st_size
        except OSError:
            continue
    return 0


def _fetch_file(file: WheelFile, target: Path, stop: threading.Event) -> None:
    done, part = target / file.filename, target / f"{file.filename}.part"
    if done.exists() and sha256_of(done) == file.sha256:
        return
    done.unlink(missing_ok=True)
    damaged = False
    for attempt in range(_TRIES):
        try:
            _download(file, part, stop)
        except _LOST as error:
            logger.warning("%s: %s", file.filename, error)
            if attempt == _TRIES - 1 or stop.wait(2**attempt):
                raise NetworkError("The connection was lost.", TRY_AGAIN) from error
            continue
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise disk_full() from error
        if sha256_of(part) == file.sha256:
            part.replace(done)
            return
        part.unlink()
        if damaged:
            break
        damaged = True
    raise DamagedPackageError(
        f"The package {file.name} arrived damaged.", "Try again, or from another network."
    )


def _download(file: WheelFile, part: Path, stop: threading.Event) -> None:
    start = part.stat().st_size if part.exists() else 0
    if start >= file.size_bytes:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(file.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as source:
        goes_on = getattr(source, "status", None) == 206
        with part.open("ab" if goes_on else "wb") as sink:
            while block := source.read(_BLOCK_BYTES):
                if stop.is_set():
                    return
                sink.write(block)
    if not stop.is_set() and part.stat().st_size < file.size_bytes:
        raise ConnectionError("cut off")


def _not_ours(name: str) -> DamagedPackageError:
    return DamagedPackageError(
        f"The package {name} is not the one this version was made with.",
        "Get its file again, or a newer version of the program.",
    )


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
