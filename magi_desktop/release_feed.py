"""The list of versions: whether there is a newer one, and its installer for this computer.

It is a small static JSON file beside the installers, whose form packaging/README.md describes and
``packaging/feed.py`` writes. Nothing from the network is trusted:
its size is limited, addresses have to be encrypted, and no name of a file is taken from it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from magi_desktop.publication import FEED_URL, INSTALLERS, SCHEMA
from magi_engine import __version__
from magi_engine.errors import DiskFullError, MagiError
from magi_engine.fetching import Received
from magi_engine.install.fetching import fetch as fetch_file
from magi_engine.install.hub import RemoteFile, part_of
from magi_engine.json_text import parse_json

_MAX_FEED_BYTES = 64 << 10
_MAX_INSTALLER_BYTES = 2 << 30
_MAX_NOTES = 4000
_MAX_VERSION = 30
_TIMEOUT_S = 6.0
_PATIENCE_S = 20.0
"""For the whole list, from a server that sends it drop by drop."""
_SPARE_BYTES = 50 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UpdateError(MagiError):
    """The list of versions, or an installer, could not be had."""


class FetchCancelled(Exception):
    """The user stopped a download; what has come is kept."""


@dataclass(frozen=True)
class Installer:
    """One file to be had."""

    kind: str
    """A key of ``publication.INSTALLERS``."""
    version: Version
    url: str
    sha256: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """Ours, not the address's."""
        return INSTALLERS[self.kind].format(self.version)

    def place_in(self, folder: Path) -> Path:
        """Where it is kept, below the folder of all installers."""
        return folder / str(self.version) / self.filename

    @property
    def remote(self) -> RemoteFile:
        """As what fetches files wants it."""
        return RemoteFile(
            self.filename,
            self.url,
            self.size_bytes,
            self.sha256,
            git_sha1=None,
            source=f"version {self.version}",
            with_token=False,
        )


@dataclass(frozen=True)
class Release:
    """A version that was published."""

    version: Version
    page: str
    """Its page on the web."""
    notes: dict[str, str]
    """What is new, in plain text, by language."""
    installers: dict[str, Installer]

    @property
    def is_newer(self) -> bool:
        """Than this program; a trial version only for who has a trial version."""
        own = Version(__version__)
        return self.version > own and (own.is_prerelease or not self.version.is_prerelease)

    def notes_in(self, language: str) -> str:
        """What is new, in a language, else in English."""
        return self.notes.get(language) or self.notes.get("en", "")


def latest_release(url: str = FEED_URL) -> Release:
    """Ask for the list of versions; blocks for a while.

    Raises:
        UpdateError: there is no network, or what answers is no list of versions.
    """
    import httpx2

    allow_local = _is_local(url)

    def check(request: httpx2.Request) -> None:  # the first and all it is sent on to
        if not _is_safe(str(request.url), allow_local):
            raise _no_list()

    content = b""
    deadline = time.monotonic() + _PATIENCE_S
    try:
        with (
            httpx2.Client(
                timeout=_TIMEOUT_S,
                follow_redirects=True,
                headers={"User-Agent": "magi-desktop", "Accept-Encoding": "identity"},
                event_hooks={"request": [check]},
            ) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            for block in answer.iter_raw():
                content += block
                if len(content) > _MAX_FEED_BYTES or time.monotonic() > deadline:
                    raise _no_list()
    except httpx2.HTTPStatusError as error:
        raise _no_list() from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise UpdateError(
            "The list of versions cannot be reached.",
            "Check the network or the proxy, then try again.",
        ) from error
    return parse(content, allow_local)


def parse(content: bytes, allow_local: bool = False) -> Release:
    """Read a list of versions.

    Args:
        allow_local: whether addresses of this computer may be unencrypted.

    Raises:
        UpdateError: it is none, or of another kind.
    """
    try:
        said = parse_json(content)
        if said["schema"] != SCHEMA:
            raise ValueError("another schema")
        version = _version(said["version"])
        notes = said.get("notes", {})
        release = Release(
            version,
            _safe(said["page"], allow_local),
            {str(k): str(v)[:_MAX_NOTES] for k, v in notes.items()},
            {
                kind: _installer(kind, version, said["installers"][kind], allow_local)
                for kind in INSTALLERS
                if kind in said["installers"]
            },
        )
    except (
        ValueError,  # what is no JSON, no UTF-8 and no number as well
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        InvalidVersion,
    ) as error:
        raise _no_list() from error
    return release


def fetch(installer: Installer, folder: Path, received: Received) -> Path:
    """Bring an installer onto this computer, going on where an earlier attempt stopped.

    Args:
        folder: of all installers; each version has one in it.
        received: told of every piece; may raise to stop, and what is there stays.

    Raises:
        UpdateError: the network fails, or the file is not the one that was announced.
        DiskFullError: there is no space for it.
    """
    target = installer.place_in(folder)
    if is_fetched(installer, folder):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # it is not what was announced
        to_come = installer.size_bytes - fetched_bytes(installer, folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _no_installer() from error
    if free < to_come + _SPARE_BYTES:
        raise DiskFullError(
            "{needed:bytes} are to come, {free:bytes} are free in {folder}.",
            "Free some space, then try again.",
            needed=to_come,
            free=free,
            folder=folder,
        )
    try:
        fetch_file(installer.remote, target.parent, received)
    except DiskFullError:
        raise
    except (MagiError, OSError) as error:
        raise _no_installer() from error
    return target


def is_fetched(installer: Installer, folder: Path) -> bool:
    """Whether it is there, and is what was announced; reads the whole file."""
    try:
        with installer.place_in(folder).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == installer.sha256
    except OSError:
        return False


def fetched_bytes(installer: Installer, folder: Path) -> int:
    """How much of it an earlier attempt left."""
    place = installer.place_in(folder)
    part = part_of(installer.remote, place.parent)
    return next((path.stat().st_size for path in (place, part) if path.is_file()), 0)


def clear_fetched(folder: Path) -> None:
    """Remove installers of versions that are not newer than this program: they did their work."""
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            done = Version(path.name) <= Version(__version__)
        except InvalidVersion:
            done = True
        if done:
            shutil.rmtree(path, ignore_errors=True)


def _installer(kind: str, version: Version, said: Any, allow_local: bool) -> Installer:
    sha256, size = said["sha256"], said["size_bytes"]
    if not _SHA256.fullmatch(sha256):
        raise ValueError("no SHA-256")
    if type(size) is not int or not 0 < size <= _MAX_INSTALLER_BYTES:
        raise ValueError("no size")
    return Installer(kind, version, _safe(said["url"], allow_local), sha256, size)


def _version(said: str) -> Version:
    version = Version(said)
    if len(said) > _MAX_VERSION or version.epoch or version.local:
        raise ValueError("no version of ours")
    return version


def _safe(url: str, allow_local: bool) -> str:
    if not _is_safe(url, allow_local):
        raise ValueError("no encrypted address")
    return url


def _is_safe(url: str, allow_local: bool) -> bool:
    parts = urlsplit(url)
    if parts.username is not None or not parts.hostname or not url.isprintable():
        return False
    return parts.scheme == "https" or (allow_local and _is_local(url))


def _is_local(url: str) -> bool:
    """Whether an address is one of this very computer, as in tests."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _no_list() -> UpdateError:
    return UpdateError(
        "What answers is not this program's list of versions.",
        "Try again later; sign in to the network if it asks for that.",
    )


def changed_on_disk() -> UpdateError:
    """What to say where an installer is no longer what it was when it came."""
    return UpdateError(
        "The file that was fetched has been changed or removed since.", "Fetch it again."
    )


def _no_installer() -> UpdateError:
    return UpdateError(
        "The new version could not be fetched.", "Try again: what has come so far is kept."
    )
