"""Getting models onto this machine for somebody on another one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from anyio import to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from magi_engine.errors import InvalidRequestError
from magi_engine.install.process import InstallProcess, InstallRun
from magi_engine.install.tasks import TaskFailed, task_event_to_dict, task_from_dict
from magi_engine.json_text import parse_json
from magi_engine.runtime.process.control import Cancel, command_from_dict


async def perform(socket: WebSocket, installer: InstallProcess) -> None:
    """Do the task of the first message, and tell what happens; cancelled if nobody listens."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        try:
            task = task_from_dict(parse_json(await socket.receive_text()))
        except (ValueError, AttributeError, KeyError):  # bytes are no text
            error = InvalidRequestError("That is no task.", "Send one as the page of the API says.")
            await socket.send_text(json.dumps(task_event_to_dict(TaskFailed(error))))
            await socket.close()
            return
        run = installer.run(task)
        listening = asyncio.create_task(_hear(socket, run))
        events = iter(run)
        try:
            while (event := await to_thread.run_sync(next, events, None)) is not None:
                await socket.send_text(json.dumps(task_event_to_dict(event)))
            await socket.close()
        finally:
            listening.cancel()
            run.control(Cancel())
            await to_thread.run_sync(_finish, events)


async def _hear(socket: WebSocket, run: InstallRun) -> None:
    try:
        while True:
            data: Any = parse_json(await socket.receive_text())
            with contextlib.suppress(ValueError, AttributeError):
                run.control(command_from_dict(data))
    except (WebSocketDisconnect, RuntimeError, ValueError, KeyError):
        run.control(Cancel())


def _finish(events: Any) -> None:
    for _ in events:
        pass
