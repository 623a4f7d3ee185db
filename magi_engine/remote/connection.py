"""Talking to an engine on another machine."""

from __future__ import annotations

import contextlib
import hashlib
import re
import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2
from websockets.sync.client import ClientConnection, connect

from magi_engine.errors import InvalidRequestError, MagiError, RemoteError
from magi_engine.json_text import parse_json
from magi_engine.media.info import is_still
from magi_engine.text_file import read_text

_TIMEOUT_S = 30.0
_PLAN_S = 120.0
"""An engine that has just been started imports for some seconds."""
_PIECE_BYTES = 1 << 20
_MOST_TOKEN_BYTES = 1 << 20
_MOST_MESSAGE_BYTES = 16 << 20
_HANDSHAKE_S = 15.0
_PING_S = 10.0
_PIN = re.compile("([0-9a-f]{64})?")


class Unreachable(RemoteError):
    """Nobody answers, at least not now."""


class NotNow(Unreachable):
    """Somebody answers, but cannot do it now."""


class UnknownCertificate(RemoteError):
    """Who answers may be somebody else."""


class Connection:
    """An address and its key. All methods may be called from any thread, and block.

    Args:
        address: such as ``https://example.org:8611``. Behind a ``#`` may stand the SHA-256 of the
            certificate, in hexadecimal digits: then that one is trusted, and no other; else those
            that the system trusts.
        token: the key.

    Raises:
        InvalidRequestError: that is no address, or no key.
    """

    def __init__(self, address: str, token: str) -> None:
        parts = _parts(address)
        if not token.strip().isascii() or not token.strip() or len(token.split()) > 1:
            raise InvalidRequestError(
                "That is no key.", "Take the one from the file that 'magi serve' names."
            )
        self.address = f"{parts.scheme}://{parts.netloc}"
        self.host = parts.hostname or ""
        self.headers = {"Authorization": f"Bearer {token.strip()}"}
        secure, pin = parts.scheme == "https", parts.fragment.lower()
        self._ssl = (_trusting(pin) if pin else ssl.create_default_context()) if secure else None
        self._client = httpx2.Client(
            base_url=self.address,
            headers=self.headers,
            timeout=httpx2.Timeout(_TIMEOUT_S, read=_PLAN_S),
            verify=self._ssl or True,
            follow_redirects=False,
            trust_env=False,
        )

    @classmethod
    def with_file(cls, address: str, token_file: Path) -> Connection:
        """With the key in a file.

        Raises:
            InvalidRequestError: as above, or the file cannot be read.
        """
        _parts(address)
        try:
            token = read_text(token_file, _MOST_TOKEN_BYTES).split()[:1]
        except FileNotFoundError as error:
            raise InvalidRequestError(
                "There is no key at {path}.",
                "Copy the file that 'magi serve' names, and say where it is: --token-file FILE",
                path=token_file,
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequestError(
                "{path} cannot be read.", "Check the name.", path=token_file
            ) from error
        return cls(address, "".join(token))

    def get(self, path: str) -> Any:
        """What the other side answers.

        Raises:
            Unreachable: nobody answers. MagiError: what the other side says.
        """
        return self._ask("GET", path)

    def post(self, path: str, body: str, **headers: str) -> Any:
        """As :meth:`get`, with JSON for the other side."""
        return self._ask("POST", path, content=body.encode(), headers=headers)

    def delete(self, path: str) -> None:
        """As :meth:`get`."""
        self._ask("DELETE", path)

    def send(self, file: Path) -> str:
        """Bring a file there unless it is there; returns how requests call it.

        Raises:
            MediaReadError: it is neither an image nor a video. InvalidRequestError: it cannot be
                read. MagiError: as :meth:`get`.
        """
        try:
            status = file.stat()
            digest = _digest(file, status.st_mtime_ns, status.st_size)
            if not self._exists(f"/v1/files/{digest}"):
                is_still(file)
                with file.open("rb") as opened:
                    self._ask("PUT", f"/v1/files/{digest}", content=opened)
        except OSError as error:
            is_still(file)  # says it as an engine here
            raise InvalidRequestError(
                "{path} cannot be read.", "Check the name.", path=file
            ) from error
        return f"sha256:{digest}"

    def fetch(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a file there, from an offset on; as :meth:`get`."""
        headers = {"Range": f"bytes={offset}-", "Accept-Encoding": "identity"}
        with self._reaching(), self._client.stream("GET", path, headers=headers) as response:
            if response.status_code == 416:  # all of it is here
                return
            if not response.is_success:
                response.read()
                raise _refusal(response)
            skip = 0 if response.status_code == 206 else offset
            for piece in response.iter_bytes(_PIECE_BYTES):
                yield piece[skip:]
                skip = max(0, skip - len(piece))

    def socket(self, path: str) -> ClientConnection:
        """A WebSocket.

        Raises:
            InvalidStatus, WebSocketException, OSError: there is none. UnknownCertificate.
        """
        try:
            return connect(
                f"{self.address.replace('http', 'ws', 1)}{path}",
                additional_headers=self.headers,
                ssl=self._ssl,
                proxy=None,
                compression=None,
                open_timeout=_HANDSHAKE_S,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                close_timeout=1.0,
                max_size=_MOST_MESSAGE_BYTES,
            )
        except ssl.SSLCertVerificationError as error:
            raise self._unknown() from error

    def close(self) -> None:
        """Hang up: nobody is reached any more."""
        self._client.close()

    def _exists(self, path: str) -> bool:
        try:
            self._ask("GET", path)
        except Unreachable:
            raise
        except RemoteError:
            return False
        return True

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        with self._reaching():
            response = self._client.request(method, path, **options)
        if not response.is_success:
            raise _refusal(response)
        try:
            return parse_json(response.content) if response.content else None
        except ValueError as error:
            raise _no_engine() from error

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Raises: Unreachable, UnknownCertificate: instead of what the client says."""
        try:
            yield
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        except RuntimeError as error:
            if not self._client.is_closed:
                raise
            raise Unreachable("The program is closing.") from error

    def _unknown(self) -> UnknownCertificate:
        return UnknownCertificate(
            "The certificate of {address} is not known.",
            "Take the whole address that 'magi serve' says there, with what stands behind the #.",
            address=self.address,
        )

    def _unreachable(self, error: httpx2.TransportError) -> RemoteError:
        cause = error.__cause__ or error.__context__
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self._unknown()
            cause = cause.__cause__ or cause.__context__
        return Unreachable(
            "{address} does not answer.",
            "Check the address, and that 'magi serve' runs there.",
            address=self.address,
        )


def _parts(address: str) -> SplitResult:
    with contextlib.suppress(ValueError):
        parts = urlsplit(address.strip())
        host = (parts.hostname or "").encode("idna")
        if (
            parts.scheme in ("http", "https")
            and host
            and parts.username is None
            and parts.port != 0
            and parts.netloc.isprintable()
            and " " not in parts.netloc
            and _PIN.fullmatch(parts.fragment.lower())
        ):
            return parts
    if not address.strip():
        raise InvalidRequestError(
            "There is no address of an engine.", "Write it as 'magi serve' says it."
        )
    raise InvalidRequestError(
        "{address} is no address of an engine.",
        "Write it as 'magi serve' says it, such as http://127.0.0.1:8611.",
        address=address,
    )


def _trusting(pin: str) -> ssl.SSLContext:
    """For one certificate, whoever has signed it and whatever name stands in it."""

    class Pinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            certificate = self.getpeercert(binary_form=True) or b""
            if hashlib.sha256(certificate).hexdigest() != pin:
                raise ssl.SSLCertVerificationError("another certificate")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = Pinned
    return context


def _refusal(response: httpx2.Response) -> MagiError:
    try:
        error = MagiError.from_dict(parse_json(response.content)["exact"]["error"])
    except (ValueError, LookupError, TypeError, AttributeError):
        error = _no_engine()
    if response.status_code == 429 or response.is_server_error:  # not now
        return NotNow(error.message, error.hint)
    return error


def another_version() -> RemoteError:
    """What came is nothing that this program knows."""
    return RemoteError("The program there is another version than this one.", "Update both.")


def _no_engine() -> RemoteError:
    return RemoteError("What answers there is no engine.", "Check the address.")


@lru_cache(maxsize=64)
def _digest(file: Path, _changed_ns: int, _size: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
