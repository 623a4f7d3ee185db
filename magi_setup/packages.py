"""Which files an environment is made of, and fetching them.

uv says which file of every package fits and where it is; this fetches them so that an interrupted
download goes on where it stopped, and compares each with the hashes of the release.
"""

from __future__ import annotations

import contextlib
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from magi_engine import fetching
from magi_engine.errors import DISK_FULL
from magi_engine.fetching import (
    Answer,
    ConnectionFailed,
    FetchError,
    Trouble,
    Wanted,
    together,
)
from magi_engine.messages import Message
from magi_setup.bundle import Bundle
from magi_setup.environments import normal_name
from magi_setup.errors import (
    BuildError,
    DamagedPackageError,
    NetworkError,
    SetupCancelled,
    disk_full,
)
from magi_setup.uv import Uv

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
TRY_AGAIN = Message("Connect to the network, then try again: what was fetched is kept.")
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

    def compiled(*form: str) -> str:
        answer = uv.run(
            *("pip", "compile", str(wanted), "--no-header", *form),
            *("--python", str(python), "--only-binary", ":all:", *source),
        )
        if answer.returncode == 0:
            return answer.stdout
        if folder is None:
            raise NetworkError("The packages could not be looked up.", TRY_AGAIN)
        refuse_damaged(bundle, flavor, folder)
        raise BuildError(
            "Not all packages are in {folder}.",
            "Choose a folder with all of them.",
            folder=folder,
        )

    files = _only_wheels(compiled("--no-annotate").split(), folder) if folder is not None else []
    if not files:
        locked = tomllib.loads(compiled("--format", "pylock.toml"))
        files = [_wheel_file(package) for package in locked["packages"]]
    check_against_release(bundle, flavor, files)
    return files


def _only_wheels(pins: list[str], folder: Path) -> list[WheelFile]:
    """The file of each pin; empty if one has several, of which uv has to say which it takes.

    To say it, uv unpacks every file, which takes minutes on Windows.
    """
    there: dict[str, list[Path]] = {}
    for path in folder.absolute().glob("*-*.whl"):
        name, version = path.name.split("-")[:2]
        there.setdefault(f"{normal_name(name)}=={version}", []).append(path)
    files = []
    for pin in pins:
        found = there.get(pin, [])
        if len(found) != 1:
            return []
        name, _, version = pin.partition("==")
        (path,) = found
        size = path.stat().st_size
        files.append(WheelFile(name, version, path.as_uri(), sha256_of(path), size))
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
    for path in sorted(folder.glob("*-*.whl")):
        name, version = path.name.split("-")[:2]
        known = allowed.get(f"{normal_name(name)}=={version}".lower())
        if known is not None and sha256_of(path) not in known:
            raise _not_ours(normal_name(name))


def fetch(files: list[WheelFile], target: Path, cancelled: threading.Event) -> Iterator[int]:
    """Bring files into ``target``; yields the bytes that are there, several times a second.

    Whatever ends it, what has come of each file is kept, and the next call goes on from there.

    Raises:
        NetworkError, DamagedPackageError, DiskFullError, SetupCancelled
    """
    target.mkdir(parents=True, exist_ok=True)
    jobs = {file: partial(_fetch_file, file, target) for file in files}
    with contextlib.closing(together(jobs)) as steps:
        for _ in steps:
            yield sum(_here(file, target) for file in files)
            if cancelled.is_set():
                raise SetupCancelled
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
        if (path := _local(url)) is not None:
            return path.stat().st_size
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


def _fetch_file(file: WheelFile, target: Path, check: Callable[[], None]) -> None:
    done, part = target / file.filename, target / f"{file.filename}.part"
    wanted = Wanted(file.size_bytes, file.sha256)
    try:
        if not done.exists() or sha256_of(done) != file.sha256:
            fetching.fetch(wanted, done, part, partial(_ask, file.url), lambda _count: check())
    except FetchError as error:
        logger.warning("%s: %s", file.filename, error)
        if error.trouble in (Trouble.WRONG, Trouble.REPLACED):
            raise DamagedPackageError(
                "The package {name} arrived damaged.",
                "Try again, or from another network.",
                name=file.name,
            ) from error
        raise NetworkError("The connection was lost.", TRY_AGAIN) from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise disk_full() from error


def _local(url: str) -> Path | None:
    """The file that an address names, on Windows perhaps one that another computer shares: of
    those urllib knows none."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "file":
        return None
    host = f"//{parts.netloc}" if parts.netloc else ""
    return Path(urllib.request.url2pathname(f"{host}{parts.path}"))


@contextlib.contextmanager
def _ask(url: str, start: int) -> Iterator[Answer]:
    if (path := _local(url)) is not None:
        try:
            file = path.open("rb")
        except OSError as error:
            raise ConnectionFailed from error
        with file:
            yield Answer(200, {}, iter(partial(file.read, _BLOCK_BYTES), b""))
        return
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
    try:
        try:
            got = urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S
            )
        except urllib.error.HTTPError as refusal:
            got = refusal
        with got:
            labels = {name.lower(): value for name, value in got.headers.items()}
            blocks = iter(partial(got.read1, _BLOCK_BYTES), b"")
            yield Answer(got.status or 200, labels, blocks)
    except _LOST as error:
        logger.warning("%s: %s", url, error)
        raise ConnectionFailed from error


def _not_ours(name: str) -> DamagedPackageError:
    return DamagedPackageError(
        "The package {name} is not the one this version was made with.",
        "Get its file again, or a newer version of the program.",
        name=name,
    )


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
