"""The models of another machine: what is there, and having more got there."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from magi_engine.errors import MagiError, RemoteError
from magi_engine.install.status import ModelState, ModelStatus
from magi_engine.install.tasks import (
    TaskCancelled,
    TaskDone,
    TaskEvent,
    TaskFailed,
    Work,
    task_event_from_dict,
    task_to_dict,
)
from magi_engine.json_text import WrongField, parse_json, read_fields
from magi_engine.remote.connection import Connection, another_version
from magi_engine.runtime.process.control import Cancel, Command, command_to_dict

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstalledModel:
    """A model as it was found there."""

    status: ModelStatus
    accepted: bool
    """Whether its licence was."""
    shrinkable: bool
    """Whether its large text encoder has no small form yet."""


class RemoteModels:
    """Asks about the models, and has tasks done, as ``InstallProcess``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def installed(self) -> list[InstalledModel]:
        """What is there. Raises: MagiError."""
        try:
            found = self._connection.get("/v1/installed")
            return [read_fields(InstalledModel, model) for model in found]
        except WrongField as error:
            raise another_version() from error

    def ready(self) -> list[str]:
        """Titles of the models that can be used at once. Raises: MagiError."""
        states = [model.status for model in self.installed()]
        return [s.entry.title for s in states if s.state is ModelState.READY]

    def accept(self, name: str) -> None:
        """Keep in mind there that the licence of a model was accepted. Raises: MagiError."""
        self._connection.post(f"/v1/installed/{name}/licence", "")

    def run(self, work: Work) -> RemoteTask:
        """Work to be done there while the returned task is iterated."""
        return RemoteTask(self._connection, work)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class RemoteTask:
    """A task there. A cut connection ends it; the next one goes on with what has come."""

    def __init__(self, connection: Connection, work: Work) -> None:
        self._connection, self._work = connection, work
        self._lock = threading.Lock()
        self._socket: ClientConnection | None = None
        self._commands: list[Command] = []
        self._cancelled = False

    def control(self, command: Command) -> None:
        """Tell it something; from any thread, at any time."""
        with self._lock:
            self._cancelled |= isinstance(command, Cancel)
            if self._socket is None:
                self._commands.append(command)
            else:
                self._tell(self._socket, command)

    def __iter__(self) -> Iterator[TaskEvent]:
        try:
            yield from self._events()
        except MagiError as error:
            yield TaskCancelled() if self._cancelled else TaskFailed(error)
        except InvalidStatus as refused:
            logger.info("%s", refused)
            yield TaskCancelled() if self._cancelled else TaskFailed(self._refusal())
        except (WebSocketException, OSError) as error:
            logger.info("the connection is cut: %s", error)
            yield TaskCancelled() if self._cancelled else TaskFailed(_cut())

    def _events(self) -> Iterator[TaskEvent]:
        task = task_to_dict(self._work)
        with self._connection.socket("/v1/tasks") as socket:
            socket.send(json.dumps(task))
            with self._lock:
                self._socket = socket
                for command in self._commands:
                    self._tell(socket, command)
            for message in socket:
                try:
                    event = task_event_from_dict(parse_json(message))
                except (ValueError, AttributeError) as error:
                    raise another_version() from error
                yield event
                if isinstance(event, TaskDone | TaskCancelled | TaskFailed):
                    return
        raise _cut()

    def _refusal(self) -> MagiError:
        """What is said there, in words, which a WebSocket does not get."""
        try:
            self._connection.get("/v1/jobs")
        except MagiError as error:
            return error
        return _cut()

    def _tell(self, socket: ClientConnection, command: Command) -> None:
        try:
            socket.send(json.dumps(command_to_dict(command)))
        except (WebSocketException, OSError) as error:
            logger.info("a command was not heard: %s", error)


def _cut() -> RemoteError:
    return RemoteError("The connection was cut.", "Try again; it goes on from what has come.")
