"""What a hub of models has, asked over ``huggingface_hub``: it brings endpoint, token and proxy."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.config.registry import PartSource
from magi_engine.errors import DownloadError
from magi_engine.fetching import Wanted

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TIMEOUT_S = 20.0
_FIRST_ANSWER_S = 6.0
# What OpenSSL says of a certificate that is not valid yet, and of one that is not any more.
_WRONG_DATE = (9, 10)


@dataclass(frozen=True)
class RemoteFile:
    """A file to be had, and how to know that it is the right one."""

    path: str
    """Relative to the folder of models."""
    url: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None
    """Of a small file that is in git itself and has no SHA-256 on the hub."""
    source: str
    """For people: repository and revision."""
    with_token: bool = True

    @property
    def wanted(self) -> Wanted:
        """How to know that it is the right one."""
        return Wanted(self.size_bytes, self.sha256, self.git_sha1)

    @property
    def key(self) -> str:
        """Names the content."""
        return self.sha256 or self.git_sha1 or ""


def require_hub(endpoint: str | None = None) -> None:
    """Find out with one short request whether the hub answers at all.

    Its library would try for most of a minute before it gave up.

    Args:
        endpoint: of a mirror; None: what HF_ENDPOINT says, else the hub itself.

    Raises:
        DownloadError: it does not.
    """
    with explained("the list of models"):
        from huggingface_hub import HfApi, get_session  # which may choke on HF_ENDPOINT

        address = endpoint or HfApi().endpoint
        get_session().head(address, timeout=_FIRST_ANSWER_S)


def mirror_of(endpoint: str | None) -> str | None:
    """The mirror to ask; None: what ``huggingface_hub`` asks, which HF_ENDPOINT may have set."""
    return None if os.environ.get("HF_ENDPOINT") else endpoint


def list_part(source: PartSource) -> list[RemoteFile]:
    """The files of a part of a model at the pinned revision, with the hub's hashes.

    Raises:
        DownloadError: the hub cannot be reached, refuses, or answers something else.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.hf_api import RepoFile

    release = source.release
    repository, revision = release.repository, release.revision
    what, mirror = f"{source.remote} in {repository}", mirror_of(release.endpoint)
    with explained(what):
        entries = list(_api(mirror).list_repo_tree(repository, source.remote, revision=revision))
        files = [
            RemoteFile(
                (release.root / entry.path).as_posix(),
                hf_hub_url(repository, entry.path, revision=revision, endpoint=mirror),
                entry.size,
                entry.lfs.sha256 if entry.lfs else None,
                None if entry.lfs else entry.blob_id,
                f"{repository}@{revision}",
                with_token=mirror is None,
            )
            for entry in entries
            if isinstance(entry, RepoFile)
        ]
    if not files:
        raise refused(404, what)
    if any(not _is_in(file.path, source.local) for file in files):
        raise no_hub()  # or one that would like to write elsewhere
    return files


def _is_in(path: str, folder: Path) -> bool:
    """Whether a path is that of a file right in ``folder``, and on every system."""
    parent, _, name = path.rpartition("/")
    return (
        parent == folder.as_posix() and name not in ("", ".", "..") and not set(name) & set("\\:")
    )


@dataclass(frozen=True)
class Repository:
    """What a hub repository holds."""

    name: str
    revision: str
    """The commit that its branch or tag stands for now."""
    license: str
    """Empty: it says none."""
    sizes: dict[str, int]
    """In bytes, by path."""


def look_into(repository: str, revision: str | None, endpoint: str | None = None) -> Repository:
    """Everything in a hub repository, at the commit that a branch, tag or commit stands for.

    Raises:
        DownloadError: the hub cannot be reached, refuses, or answers something else.
    """
    from huggingface_hub.hf_api import RepoFile

    endpoint = mirror_of(endpoint)
    require_hub(endpoint)
    api = _api(endpoint)
    what = repository if revision is None else f"{repository} at {revision}"
    with explained(what):
        info = api.model_info(repository, revision=revision)
        commit = str(info.sha)
        tree = api.list_repo_tree(repository, recursive=True, revision=commit)
        sizes = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
        card = info.card_data
        licence = None if card is None else card.get("license")
    return Repository(repository, commit, licence if isinstance(licence, str) else "", sizes)


def _api(mirror: str | None) -> HfApi:
    """Asks the hub; the user's token is for the hub alone, and no mirror gets it."""
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.utils import logging

    get_session().timeout = TIMEOUT_S  # else a silent server holds us for ever
    logging.set_verbosity_error()  # its retries are no concern of who reads our sentences
    return HfApi(endpoint=mirror, token=None if mirror is None else False)


def refused(status: int, what: str, code: str = "") -> DownloadError:
    """The error for an answer that is none.

    Args:
        what: what was asked for.
        code: the hub's own word for what is wrong, if it sent one (``X-Error-Code``).
    """
    if code == "GatedRepo" or status == 403:
        return DownloadError(
            "The hub does not give {what} to everybody.",
            "Ask for access on its page, then sign in with: hf auth login",
            what=what,
        )
    if code == "RepoNotFound":
        return DownloadError(
            "The hub does not have {what}, or it is private.",
            "Check the repository's name; if it is private, sign in with: hf auth login",
            what=what,
        )
    if status == 401:
        return DownloadError(
            "The hub does not accept the token that was sent for {what}.",
            "Sign in again with: hf auth login",
            what=what,
        )
    if status == 404:
        return DownloadError(
            "The hub does not have {what}.",
            "Update the program, or choose another repository.",
            what=what,
        )
    if status in (408, 429):
        return DownloadError("The hub has too much to do.", "Try again in some minutes.")
    return DownloadError(
        "The hub refuses {what} (status {status}).", "Try again later.", what=what, status=status
    )


def no_hub() -> DownloadError:
    """Something else answered, such as the page of a hotel's network."""
    return DownloadError(
        "The server that answered is no hub of models.",
        "Sign in to the network if it asks for that; check HF_ENDPOINT.",
    )


def certificate_error(error: BaseException) -> DownloadError | None:
    """What to say if a connection failed because the server's certificate was not accepted."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    if cause.verify_code in _WRONG_DATE:
        return DownloadError(
            "The hub's certificate is not valid at this computer's date.",
            "Set the computer's clock right, then try again.",
        )
    return DownloadError(
        "The hub's certificate is not trusted here.",
        "Have the certificate of your network's proxy installed on this computer.",
    )


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what goes wrong while the hub is asked for ``what`` into a DownloadError."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        code = error.response.headers.get("X-Error-Code", "")
        raise refused(error.response.status_code, what, code) from error
    except (httpx2.RequestError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
        raise certificate_error(error) or DownloadError(
            "The hub of models cannot be reached.", "Check the network, the proxy or HF_ENDPOINT."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise no_hub() from error


def part_of(file: RemoteFile, models_dir: Path) -> Path:
    """Where the unfinished file is; other content has another name, so they never mix."""
    target = models_dir / file.path
    return target.with_name(f"{target.name}.{file.key[:16]}.part")
