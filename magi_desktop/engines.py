"""Where videos are made: by this computer's engine, or by that of another one."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_desktop.engine_thread import EngineLike
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences
from magi_engine.atomic import replacing
from magi_engine.errors import MagiError
from magi_engine.runtime.engine_process import EngineProcess

if TYPE_CHECKING:
    from magi_engine.remote.engine import RemoteEngine
    from magi_engine.remote.models import RemoteModels
    from magi_engine.runtime.machine.facts import MachineFacts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What is there.

    Attributes:
        models: titles of those that can be used at once.
        videos_waiting: how many are before the next one.
    """

    facts: MachineFacts
    models: tuple[str, ...]
    videos_waiting: int


def chosen_engine(preferences: Preferences, places: Places, models_dir: Path) -> EngineLike:
    """The engine that the preferences name; this computer's if that is none."""
    if address := preferences.get("engine_address"):
        try:
            return remote_engine(address, read_key(places), places)
        except MagiError as error:  # the settings were changed by hand
            logger.error("the engine is that of this computer: %s", error)
    return EngineProcess(models_dir, log_file=places.engine_log)


def models_of(engine: EngineLike) -> RemoteModels | None:
    """The models of an engine on another computer; None: it is this one's."""
    if not engine.outlives:
        return None
    from magi_engine.remote.engine import RemoteEngine
    from magi_engine.remote.models import RemoteModels

    return RemoteModels(engine.connection) if isinstance(engine, RemoteEngine) else None


def host_of(engine: EngineLike) -> str:
    """The name or number of the other computer that an engine is on; empty: it is on this one."""
    if not engine.outlives:
        return ""
    from magi_engine.remote.engine import RemoteEngine

    return engine.connection.host if isinstance(engine, RemoteEngine) else ""


def remote_engine(address: str, key: str, places: Places) -> RemoteEngine:
    """Raises: InvalidRequestError: that is no address, or no key."""
    # Imported only where it is wanted: the start of the window pays nothing for it.
    from magi_engine.remote.connection import Connection
    from magi_engine.remote.engine import RemoteEngine

    return RemoteEngine(Connection(address, key), places.remote)


def look_at(address: str, key: str, places: Places) -> Found:
    """What an engine has to offer; to be called in the background. Raises: MagiError."""
    from magi_engine.remote.models import RemoteModels

    engine = remote_engine(address, key, places)
    with contextlib.closing(engine):
        facts, waiting = engine.machine(), engine.videos_waiting()
        ready = RemoteModels(engine.connection).ready()
    return Found(facts, tuple(ready), waiting)


def servers_nearby() -> dict[str, str]:
    """Names and addresses of servers that announce themselves; to be called in the background.

    Raises:
        OSError: there is no network.
    """
    from magi_engine.discovery import found

    return found()


def read_key(places: Places) -> str:
    """The key of the other engine; empty: there is none."""
    try:
        return places.engine_key.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def save_key(places: Places, key: str) -> None:
    """Keep it where only this user can read it.

    Raises:
        OSError: it cannot be written.
    """
    places.config.mkdir(parents=True, exist_ok=True)
    with replacing(places.engine_key) as fresh:
        opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(f"{key.strip()}\n")
