"""What the installed program's icon starts: the program, or before that its set-up.

magi-desktop [FILE...]           the program; at first start the set-up
magi-desktop --setup             change GPU support, verify, repair
magi-desktop --wheels FOLDER     set up from a folder of packages, without a network
magi-desktop --unattended        set up without a window (--flavor cpu, cu130, ...)
magi-desktop --remove            remove what the set-up made; models, videos, takes, settings stay,
                                 but for those named with --also (--everything: models, settings)
magi-desktop --where             list everything that is kept for this user
magi-desktop --tidy              remove what earlier set-ups left
magi-desktop --magi ARGUMENT...  the command line, as the command magi does
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path

from magi_desktop import set_up
from magi_desktop.belongings import Belonging
from magi_desktop.paths import Places
from magi_engine.errors import MagiError
from magi_setup.build import Builder, SetupProgress
from magi_setup.bundle import Bundle
from magi_setup.environments import Environment, Environments
from magi_setup.errors import BusyError, unexpected
from magi_setup.machine import choose_flavor, probe
from magi_setup.removal import CHOICES, EVERYTHING, Remains, describe, parse_kinds, remove

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str], bundle_folder: Path, launcher: tuple[str, ...]) -> int:
    """Start the program from its environment, building that first where needed.

    Args:
        arguments: without the program's name.
        bundle_folder: where the installer put its files.
        launcher: the command that got here.
    """
    places = Places.of_user()
    environments = Environments(places.environments)
    if arguments[:1] == ["--magi"]:
        return _command_line(environments.current, list(arguments[1:]))
    parser = _parser()
    wishes = parser.parse_args(arguments)
    if (wishes.also or wishes.everything) and not wishes.remove:
        parser.error("--also and --everything are for --remove")
    if wishes.flavor is not None and not wishes.unattended:
        parser.error("--flavor is for --unattended")
    if wishes.remove:
        kinds = parse_kinds(wishes.also) | frozenset(EVERYTHING if wishes.everything else ())
        return _clean_up(partial(_remove, environments, places, kinds))
    if wishes.where:
        print(Remains.of(places).listing())
        return 0
    if wishes.describe is not None:
        describe(Remains.of(places), wishes.describe)
        return 0
    if wishes.tidy:
        return _clean_up(environments.tidy)
    bundle = Bundle.read(bundle_folder)
    builder = Builder(bundle, environments, launcher, wishes.wheels)
    current = environments.current
    if current is not None and not (wishes.setup or wishes.unattended or builder.needs_build()):
        return start_program(current, wishes.files, launcher)
    _log_to(places.logs / "setup.log")
    if wishes.unattended:
        return _unattended(builder, wishes.flavor)

    # Only now: where the program can simply start, Qt need not load twice.
    from magi_setup.window import show

    wanted = show(builder, places, sys.argv[:1], _absolute(wishes.files))
    return 0 if wanted is None else start_program(*wanted, launcher)


def start_program(environment: Environment, files: list[str], launcher: tuple[str, ...]) -> int:
    """Replace this process by the program; on Windows, start it and end.

    What earlier set-ups left is removed meanwhile.
    """
    if Environments(environment.folder.parent).needs_tidying():
        _start_apart([*launcher, "--tidy"])
    command = environment.command(_absolute(files))
    if sys.platform == "win32":
        _start_apart(command)
        return 0
    os.execv(command[0], command)


def _absolute(files: list[str]) -> list[str]:
    return [os.path.abspath(file) for file in files]


def _start_apart(command: Sequence[str]) -> None:
    """Start something that outlives this process, and does not write where this one does."""
    nowhere = subprocess.DEVNULL
    # From the home folder: the folder a program runs in cannot be renamed or removed on Windows.
    subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=Path.home())


def _remove(environments: Environments, places: Places, kinds: frozenset[Belonging]) -> None:
    remains = Remains.of(places)
    remove(environments, places, kinds)
    if left := remains.left():
        print(f"This stays:\n{left}")


def _clean_up(how: Callable[[], None]) -> int:
    try:
        how()
    except BusyError as error:
        print(error, file=sys.stderr)
        return BusyError.EXIT_CODE
    except MagiError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _command_line(environment: Environment | None, arguments: list[str]) -> int:
    if environment is None:
        how = "." if sys.platform == "win32" else ", or: magi-desktop --unattended"
        print(f"The program is not set up yet. Start Magi Desktop once{how}", file=sys.stderr)
        return 1
    command = [str(environment.python), "-X", "utf8", "-P", "-m", "magi_engine", *arguments]
    held = set_up.hold(environment.folder)
    if held is not None:
        os.set_inheritable(held, True)  # so that it lasts as long as the command
    if sys.platform == "win32":
        return _run_through_interrupts(command)
    os.execv(command[0], command)


def _run_through_interrupts(command: list[str]) -> int:
    """Run something to its end on this console; Ctrl-C reaches it too: it has a video to keep."""
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _unattended(builder: Builder, flavor: str | None) -> int:
    offered = builder.bundle.flavors
    if flavor is not None and flavor not in offered:
        print(f"There is no build {flavor}. Choose one of: {', '.join(offered)}", file=sys.stderr)
        return 1
    choice = choose_flavor(probe(), offered)
    chosen = flavor or builder.usual_flavor(choice)
    print(f"recommended: {choice.flavor}. {choice.sentences}", flush=True)
    step = None
    try:
        for progress in _verified_and_built(builder, chosen):
            if progress.step is not step:
                step = progress.step
                print(step.value, flush=True)
    except MagiError as error:
        print(error, file=sys.stderr)
        if builder.record is not None:
            print("What was there before is still in use.", file=sys.stderr)
        return 1
    except Exception:  # a traceback is for the log
        logger.exception("the set-up failed")
        print(unexpected(), file=sys.stderr)
        return 1
    with contextlib.suppress(BusyError):  # another one began: it removes that as well
        builder.environments.tidy()
    return 0


def _verified_and_built(builder: Builder, flavor: str) -> Iterator[SetupProgress]:
    plan = builder.plan(flavor, (yield from builder.verify()))
    print(f"{flavor}: {plan.download_bytes / 1e6:.0f} MB to fetch", flush=True)
    yield from builder.build(plan)


def _log_to(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=1 << 20, backupCount=1, encoding="utf-8")
    except OSError:
        return  # a full disk is said by the set-up itself
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="magi-desktop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--setup", action="store_true", help="open the set-up")
    parser.add_argument("--wheels", type=Path, help="a folder of packages to install from")
    parser.add_argument("--unattended", action="store_true", help="set up without a window")
    parser.add_argument("--flavor", help="build of torch; default: what fits this computer")
    parser.add_argument("--remove", action="store_true", help="remove the environment")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        choices=[kind.value for kind in CHOICES],
        help="with --remove: what else goes (videos to the trash); may be given several times",
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="models and settings as well; videos, and takes to redo them from, stay",
    )
    parser.add_argument("--where", action="store_true", help="list what is kept for this user")
    parser.add_argument("--describe", type=Path, help="write to a file what --also would remove")
    parser.add_argument("--tidy", action="store_true", help="remove what earlier set-ups left")
    parser.add_argument("files", nargs="*", metavar="FILE", help="pictures or videos to open")
    return parser
