"""Fetching one file of a model, over the session of ``huggingface_hub``."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from magi_engine import fetching
from magi_engine.disk import writing
from magi_engine.errors import DownloadError
from magi_engine.fetching import Answer, ConnectionFailed, FetchError, Received, Trouble
from magi_engine.install.hub import (
    TIMEOUT_S,
    RemoteFile,
    certificate_error,
    no_hub,
    part_of,
    refused,
)


def fetch(file: RemoteFile, models_dir: Path, received: Received) -> str:
    """Bring a file to its place, going on where an earlier attempt stopped.

    Returns:
        Its SHA-256. The file has its name only once it has been found to be right.

    Raises:
        DownloadError: network or hub failed, or the bytes are not those that were announced.
        DiskFullError, OutputError: it cannot be written.
    """
    target, part = models_dir / file.path, part_of(file, models_dir)
    try:
        with writing(target, goes_on=True):
            sha256 = fetching.fetch(file.wanted, target, part, partial(_ask, file), received)
            for left in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
                left.unlink(missing_ok=True)  # what the file was before the hub replaced it
    except FetchError as error:
        raise _explained(error, file.path) from error
    return sha256


@contextlib.contextmanager
def _ask(file: RemoteFile, start: int) -> Iterator[Answer]:
    import httpx2
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    headers = build_hf_headers(token=None if file.with_token else False)
    headers |= {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    try:
        # The session leaves the token behind when it is sent on to another host.
        with get_session().stream("GET", file.url, headers=headers, timeout=TIMEOUT_S) as got:
            before = tuple(dict(response.headers) for response in got.history)
            yield Answer(got.status_code, dict(got.headers), got.iter_raw(), before)
    except httpx2.UnsupportedProtocol as error:  # sent on to something like file://
        raise no_hub() from error
    except httpx2.TransportError as error:
        raise certificate_error(error) or ConnectionFailed from error
    except httpx2.RequestError as error:  # sent round in circles
        raise no_hub() from error


def _explained(error: FetchError, path: str) -> DownloadError:
    match error.trouble:
        case Trouble.LOST:
            return DownloadError(
                "{path} cannot be fetched: the network or the server fails.",
                "Check the network, then start the download again: it goes on where it was.",
                path=path,
            )
        case Trouble.REFUSED:
            return refused(error.status, path, error.code)
        case Trouble.STRANGER:
            return no_hub()
        case Trouble.REPLACED:
            return DownloadError(
                "The hub has replaced {path} in the meantime.",
                "Start the download again.",
                path=path,
            )
        case Trouble.WRONG:
            return DownloadError(
                "The file {path} came with other content than was announced.",
                "Try again later, or without a mirror.",
                path=path,
            )
