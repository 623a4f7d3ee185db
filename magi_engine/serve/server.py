"""Running the application: its folder, its address, its end."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from magi_engine.errors import InvalidRequestError, OutputError
from magi_engine.install.process import InstallProcess
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.serve.app import application
from magi_engine.serve.guard import BoundedProtocol
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads

logger = logging.getLogger(__name__)

_BACKLOG = 128
_MOST_MESSAGE_BYTES = 1 << 16
_KEEP_ALIVE_S = 10
_GRACE_S = 5


@dataclass(frozen=True)
class ServeOptions:
    """How the server runs.

    Attributes:
        folder: for jobs and what clients bring.
        certificate: ``ssl_certfile`` and ``ssl_keyfile``, in PEM; empty: without TLS.
        insecure: whether that is wanted beyond this machine, too.
        most_upload_bytes: of one file that a client brings.
        keep_bytes: what videos that have ended may take up, and the files of each client.
    """

    host: str
    port: int
    folder: Path
    token_file: Path
    models_dir: Path | None = None
    certificate: Mapping[str, str] = field(default_factory=dict)
    insecure: bool = False
    most_upload_bytes: int = 2_000_000_000
    keep_bytes: int = 100_000_000_000
    log_prompts: bool = False


def serve(options: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve until a signal ends it.

    Args:
        say: is told the address first, then where the token is.

    Raises:
        InvalidRequestError: the options would let others in; OutputError: the address is taken.
    """
    check_secrecy(options.host, bool(options.certificate), options.insecure)
    tokens = Tokens(options.token_file)
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    listening = _listen(options.host, options.port)
    # Paths below are relative: they stand in videos and logs, and tell nothing of this machine.
    os.chdir(options.folder)
    engine = EngineProcess(options.models_dir, log_file=Path("engine.log").absolute())
    engine.start()
    installer = InstallProcess(options.models_dir, log_file=Path("install.log").absolute())
    uploads = Uploads(options.most_upload_bytes, options.keep_bytes)
    book = JobBook(lambda _job: engine, uploads, options.keep_bytes, options.log_prompts)
    config = uvicorn.Config(
        application(engine, installer, book, uploads, tokens),
        http=BoundedProtocol,
        ws="websockets-sansio",
        ws_max_size=_MOST_MESSAGE_BYTES,
        ssl_certfile=options.certificate.get("ssl_certfile"),
        ssl_keyfile=options.certificate.get("ssl_keyfile"),
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"http{'s' if options.certificate else ''}://{shown}:{port}")
    say(f"The key is in {options.token_file}.")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        book.close()
        engine.close()
        installer.close()
        listening.close()


def check_secrecy(host: str, with_tls: bool, insecure: bool) -> None:
    """Raises: InvalidRequestError: what is sent to an address could be read by others."""
    if not (with_tls or insecure or _is_loopback(host)):
        raise InvalidRequestError(
            "Beyond this machine, what is sent could be read by others.",
            "Give --tls-cert and --tls-key, or --insecure if the network is safe.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise OutputError(
            "Nothing can be served at {host}, port {port}.",
            "Choose another --port.",
            host=host,
            port=port,
        ) from error
