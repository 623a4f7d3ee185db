"""``magi farm``: one address for the engines of many cards and machines, with Ray Serve."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import signal
import threading

from magi_engine.cli.exit_codes import DONE
from magi_engine.cli.request_options import whole
from magi_engine.cli.serve import add_address_options, certificate_of, folder_of
from magi_engine.errors import InvalidRequestError

_IDLE_S = 600
_DESCRIPTION = """\
As 'magi serve', with the engines of all machines of a Ray cluster: the one that runs on this
machine ('ray start'), or else this machine alone.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "farm", help="let others use the engines of many machines", description=_DESCRIPTION
    )
    add_address_options(parser)
    parser.add_argument(
        "--cards",
        type=_natural,
        default=1,
        metavar="N",
        help="graphics cards of each engine; default 1",
    )
    parser.add_argument(
        "--cpus",
        type=_natural,
        default=1,
        metavar="N",
        help="processor cores of each engine; default 1",
    )
    parser.add_argument(
        "--engines",
        type=_range,
        default=(1, 32),
        metavar="N[-M]",
        help="how many engines; a range: as many of it as are needed; default 1-32",
    )
    parser.add_argument(
        "--idle",
        type=_natural,
        metavar="S",
        help=f"seconds before there are fewer engines again; default {_IDLE_S}",
    )
    parser.add_argument(
        "--most-each",
        type=_natural,
        default=0,
        metavar="N",
        help="engines that make videos for one key at a time; default: all that are free",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve as the options say, until a signal ends it; returns the exit code."""
    if importlib.util.find_spec("ray") is None:
        raise InvalidRequestError(
            "A farm needs some more packages.", "Run: pip install 'magi-desktop[farm]'"
        )
    from magi_engine.serve.server import address_error, address_of, free_port, is_loopback

    least, most = args.engines
    if args.idle is not None and least == most:
        raise InvalidRequestError(
            "There are always as many engines: --idle does nothing.", "Leave it out."
        )
    folder = folder_of(args)
    certificate = certificate_of(args, folder)
    port = args.port or free_port(args.host)  # the same on all machines
    address = address_of(args.host, port, certificate)

    import ray
    from ray import serve
    from ray.exceptions import RayError

    from magi_engine.farm import NAME, FarmOptions, app

    options = FarmOptions(
        folder=folder,
        token_file=args.token_file and args.token_file.absolute(),
        models_dir=args.models_dir and args.models_dir.absolute(),
        cards=args.cards,
        cpus=args.cpus,
        engines_min=least,
        engines_max=most,
        idle_s=_IDLE_S if args.idle is None else args.idle,
        most_each=args.most_each,
        log_prompts=args.log_prompts,
    )
    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # the first line is the address
    ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    # Ray's own handler prints where it stood.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        is_open = os.environ.get("RAY_AUTH_MODE") != "token"  # set by Ray if it asks for its own
        if is_open and not (args.insecure or is_loopback(args.host)):
            raise InvalidRequestError(
                "Everybody in its network can run programs on this Ray cluster.",
                "Start Ray with RAY_AUTH_MODE=token on every machine, or give --insecure.",
            )
        http: dict[str, object] = {"host": args.host, "port": port}
        if certificate is not None:
            http |= {"ssl_certfile": str(certificate.path), "ssl_keyfile": str(certificate.key)}
        try:
            serve.start(proxy_location="EveryNode", http_options=http)
        except RayError as error:
            raise address_error(args.host, port) from error
        serve.run(app(options), name=NAME)
        print(address, flush=True)
        print(f"The key is in {options.keys}.", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        serve.shutdown()
        ray.shutdown()
    return DONE


def _range(text: str) -> tuple[int, int]:
    least, _, most = text.partition("-")
    engines = whole(least), whole(most or least)
    if not 1 <= engines[0] <= engines[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number such as 2 nor one as 1-8")
    return engines


def _natural(text: str) -> int:
    if (value := whole(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is less than nothing")
    return value
