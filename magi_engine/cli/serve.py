"""``magi serve``: lets other machines make videos with the engine of this one."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.cli.exit_codes import DONE
from magi_engine.config.places import default_serve_dir
from magi_engine.disk import writing
from magi_engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from magi_engine.serve.certificate import Certificate

_DESCRIPTION = """\
Makes videos for the window or the command line of another machine. The first line says the
address. Who has the key may use it; it is made at the first start. Each line of its file is the
key of one person, whose videos the others do not see.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "serve", help="let other machines use the engine of this one", description=_DESCRIPTION
    )
    add_address_options(parser)
    parser.add_argument(
        "--announce", action="store_true", help="let the local network know of the address"
    )
    parser.add_argument(
        "--engines",
        type=int,
        default=1,
        metavar="N",
        help="videos made at the same time, each on a graphics card of its own; default 1",
    )
    parser.set_defaults(run=run)


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """Where one listens, who may come, and where things are kept."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; default: only this machine"
    )
    parser.add_argument("--port", type=int, default=8611, help="default: 8611; 0: a free one")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the keys; default: in --folder"
    )
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="certificate, in PEM; beyond this machine one is made with OpenSSL if none is given",
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, in PEM")
    tls.add_argument(
        "--insecure", action="store_true", help="no TLS beyond this machine: anybody can listen in"
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the videos are kept")
    parser.add_argument(
        "--models-dir", type=Path, metavar="DIR", help="where downloaded models are kept"
    )
    parser.add_argument("--log-prompts", action="store_true", help="log what is asked for, too")


def folder_of(args: argparse.Namespace) -> Path:
    """The folder of the server, made if it is not there. Raises: OutputError: it cannot be."""
    folder = (args.folder or default_serve_dir()).absolute()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def certificate_of(args: argparse.Namespace, folder: Path) -> Certificate | None:
    """The certificate that was given, or the server's own where others can listen in; None: there
    is no need of one.

    Raises:
        InvalidRequestError: it was given without its key, or none can be made.
    """
    from magi_engine.serve.certificate import Certificate, own_certificate
    from magi_engine.serve.server import is_loopback

    if (args.tls_cert is None) != (args.tls_key is None):
        raise InvalidRequestError("A certificate and its key go together.", "Give both.")
    if args.tls_cert is not None:
        return Certificate(args.tls_cert.absolute(), args.tls_key.absolute())
    return None if args.insecure or is_loopback(args.host) else own_certificate(folder)


def run(args: argparse.Namespace) -> int:
    """Serve as the options say; returns the exit code."""
    if any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn", "zeroconf")):
        raise InvalidRequestError(
            "Serving needs some more packages.", "Run: pip install 'magi-desktop[serve]'"
        )
    if args.engines < 1:
        raise InvalidRequestError("That is no number of engines.", "Write --engines 2.")
    from magi_engine.serve.server import ServeOptions, serve

    folder = folder_of(args)
    options = ServeOptions(
        host=args.host,
        port=args.port,
        folder=folder,
        token_file=(args.token_file or folder / "token").absolute(),
        models_dir=args.models_dir and args.models_dir.absolute(),
        certificate=certificate_of(args, folder),
        log_prompts=args.log_prompts,
        engines=args.engines,
        announce=args.announce,
    )
    serve(options, lambda line: print(line, flush=True))
    return DONE
