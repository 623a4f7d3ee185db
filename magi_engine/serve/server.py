"""Running the application: its folder, its address, its end."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from magi_engine.disk import alone
from magi_engine.errors import InvalidRequestError, OutputError
from magi_engine.install.process import InstallProcess
from magi_engine.serve.app import application
from magi_engine.serve.certificate import Certificate
from magi_engine.serve.engines import Engines
from magi_engine.serve.guard import MOST_CONNECTIONS, BoundedProtocol, has_place, peer
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads

logger = logging.getLogger(__name__)

_LAST_PORT = 65_535
_BACKLOG = 128
_MOST_MESSAGE_BYTES = 1 << 16
_KEEP_ALIVE_S = 10
_GRACE_S = 5


@dataclass(frozen=True)
class ServeOptions:
    """How the server runs.

    Attributes:
        folder: for jobs and what clients bring.
        certificate: for TLS; None: without.
        engines: how many videos are made at a time, each on a card of its own if several.
        announce: whether the local network is told of it.
    """

    host: str
    port: int
    folder: Path
    token_file: Path
    models_dir: Path | None = None
    certificate: Certificate | None = None
    log_prompts: bool = False
    engines: int = 1
    announce: bool = False


def serve(options: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Args:
        say: is told the address first, then where the token is.

    Raises:
        InvalidRequestError: others can read the keys, nobody could see what is announced, or
            another server has the folder; OutputError: the address is taken.
    """
    if options.announce and is_loopback(options.host):
        raise InvalidRequestError(
            "Only this machine is served: there is nothing to announce.", "Give --host 0.0.0.0."
        )
    tokens = Tokens(options.token_file)
    with alone(options.folder / "lock"):  # or others, or a farm, would make the same jobs
        _serve(options, tokens, say)


def _serve(options: ServeOptions, tokens: Tokens, say: Callable[[str], None]) -> None:
    listening = _listen(options.host, options.port)
    # Paths below are relative: they stand in videos and logs, and tell nothing of this machine.
    os.chdir(options.folder)
    engines = Engines(options.engines, options.models_dir)
    engines.start()
    installer = InstallProcess(options.models_dir, log_file=Path("install.log").absolute())
    uploads = Uploads()
    book = JobBook(
        lambda _job: engines.one_video(),
        uploads,
        log_prompts=options.log_prompts,
        at_once=options.engines,
    )
    config = uvicorn.Config(
        application(engines.first, installer, book, uploads, tokens),
        http=BoundedProtocol,
        loop="asyncio",
        ws="websockets-sansio",
        ws_max_size=_MOST_MESSAGE_BYTES,
        ssl_certfile=options.certificate and options.certificate.path,
        ssl_keyfile=options.certificate and options.certificate.key,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    host, port = listening.getsockname()[:2]
    address = address_of(host, port, options.certificate)
    say(address)
    say(f"The key is in {options.token_file}.")
    try:
        with _announced(address) if options.announce else contextlib.nullcontext():
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        book.close()
        engines.close()
        installer.close()
        listening.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can come to an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(host: str, port: int, certificate: Certificate | None) -> str:
    """An address as others use it, with what they know the certificate by.

    Raises:
        InvalidRequestError: that is none.
    """
    if host in ("0.0.0.0", "::"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        far = "2001:db8::1" if ":" in host else "192.0.2.1"
        with (
            contextlib.suppress(OSError),  # no network
            socket.socket(family, socket.SOCK_DGRAM) as asking,
        ):
            asking.connect((far, 9))  # sends nothing
            host = asking.getsockname()[0]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"http://{shown}" if certificate is None else f"https://{shown}#{certificate.pin()}"


def free_port(host: str) -> int:
    """One that nobody listens at.

    Raises:
        OutputError: the address is none of this machine.
    """
    with _listen(host, 0) as listening:
        return listening.getsockname()[1]


class _Bounded(socket.socket):
    """Lets no more in at a time than there can be files open, also while they say nothing: over TLS
    a connection is one for the rest of the server only after its handshake."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(fileno=listening.detach())
        self._inside: list[tuple[socket.socket, str]] = []

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = super().accept()
        self._inside = [(one, its) for one, its in self._inside if one.fileno() != -1]
        who = peer(address)
        if not has_place(who, [its for _, its in self._inside], 2 * MOST_CONNECTIONS):
            connection.close()
            raise ConnectionAbortedError  # as of one that has gone again
        self._inside.append((connection, who))
        return connection, address


def _announced(address: str) -> contextlib.AbstractContextManager[None]:
    from magi_engine.discovery import announced

    return announced(address)


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise address_error(host, port)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listening:
            return _Bounded(listening)
    except (OSError, UnicodeError) as error:
        raise address_error(host, port) from error


def address_error(host: str, port: int) -> OutputError:
    """What to say where the system does not let one listen."""
    return OutputError(
        "Nothing can be served at {host}, port {port}.",
        "Choose another --port or --host.",
        host=host,
        port=port,
    )
