"""One engine as an ASGI application: models, plans, jobs, takes and files over HTTP.

The JSON is the engine's own: requests as they stand in a video's metadata, events, plans, facts
and errors as their classes give them. Sentences stand beside their keys and values, under
``exact``, so that a client can say them in any language.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Protocol

from anyio import to_thread
from fastapi import FastAPI, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from magi_engine import __version__
from magi_engine.config.places import default_models_dir, default_takes_dir
from magi_engine.config.registry import Registry
from magi_engine.errors import (
    DISK_FULL,
    DiskFullError,
    EngineDiedError,
    InvalidRequestError,
    MagiError,
    RemoteError,
)
from magi_engine.install.process import InstallProcess
from magi_engine.install.status import (
    accept_licence,
    is_accepted,
    is_shrinkable,
    model_statuses,
)
from magi_engine.json_text import WrongField, parse_json, to_fields
from magi_engine.media.targets import find_growing
from magi_engine.messages import Message, either
from magi_engine.runtime.job.events import Restarted, refused
from magi_engine.runtime.machine.facts import Finding, MachineFacts
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.planning.prospects import Prospect
from magi_engine.runtime.process.control import ChangePrompt, Command, command_from_dict
from magi_engine.runtime.process.errors import UnexpectedError, named_error
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.request.validation import check_letters
from magi_engine.serve.guard import MOST_CONNECTIONS, AsciiResponse, Guard, error_response
from magi_engine.serve.job import Job, is_last
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.tasks import perform
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads, too_large
from magi_engine.takes.store import Take, TakeStore, not_kept

logger = logging.getLogger(__name__)

MOST_JSON_BYTES = 1 << 20
_BODY_S = 10.0
"""How long nothing may come of a body that has begun."""
_SLOWEST_BYTES_PER_S = 16_384
_PIECE_BYTES = 1 << 18
_LOOK_S = 0.1
"""How often it is looked whether the growing file has grown."""
_COMMANDS_PER_S = 50


_STATUS = ((RemoteError, 404), (EngineDiedError, 503), (UnexpectedError, 500))
"""Of errors that are not about what was asked for."""
_NOTHING = RemoteError("There is nothing of that name.")
_ERROR: dict[str, Any] = {
    "description": "An error: a sentence and one thing to do.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error", "message", "hint", "exact"],
                "properties": {
                    "error": {"type": "string", "description": "its kind"},
                    "message": {"type": "string"},
                    "hint": {"type": "string", "description": "one thing to do; may be empty"},
                    "exact": {"type": "object", "description": "the same as keys and values"},
                },
            }
        }
    },
}
_THERE = {"description": "It was asked for with this key before."}
_REQUEST = {
    "requestBody": {
        "description": "The request: the JSON that every video carries.",
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_MEDIA = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


class Asked(Protocol):
    """An engine, as far as it answers questions."""

    models_dir: Path | None

    def machine(self) -> MachineFacts: ...

    def examine(self) -> list[Finding]: ...

    def prospects(self) -> dict[str, Prospect]: ...

    def plan(self, request: GenerationRequest) -> JobPlan: ...

    def check(self, request: GenerationRequest) -> None: ...


def application(
    engine: Asked,
    installer: InstallProcess,
    book: JobBook,
    uploads: Uploads,
    tokens: Tokens,
    most_at_once: int = MOST_CONNECTIONS,
) -> ASGIApp:
    """The application, behind its guard."""

    @contextlib.asynccontextmanager
    async def with_threads(_app: FastAPI) -> AsyncIterator[None]:
        # Whoever waits for an engine, in both directions, keeps nobody else from being answered.
        to_thread.current_default_thread_limiter().total_tokens = 2 * most_at_once
        yield

    app = FastAPI(
        title="Magi Desktop's engine",
        version=__version__,
        description=__doc__ or "",
        openapi_url="/v1/openapi.json",
        docs_url="/v1/docs",
        redoc_url=None,
        responses={"default": _ERROR},
        lifespan=with_threads,
    )

    @app.exception_handler(MagiError)
    async def _said(_request: Request, error: MagiError) -> AsciiResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
        folder = engine.models_dir or default_models_dir()
        said = (_below(folder, message) for message in (error.message, error.hint))
        return error_response(status, type(error)(*said))

    @app.exception_handler(RequestValidationError)
    async def _misread(_request: Request, error: RequestValidationError) -> AsciiResponse:
        wrong = InvalidRequestError(
            "{name} cannot be what the address says.",
            "Send one as the page of the API says.",
            name=error.errors()[0]["loc"][-1],
        )
        return error_response(400, wrong)

    @app.exception_handler(HTTPException)
    async def _unknown(request: Request, error: HTTPException) -> AsciiResponse:
        if error.status_code != 405:
            response = error_response(error.status_code, _NOTHING)
            response.headers.update(error.headers or {})
            return response
        methods = _methods(app, request)
        wrong = RemoteError(
            "That cannot be asked with {method}.",
            "Use {methods}.",
            method=request.method,
            methods=either(*methods),
        )
        response = error_response(405, wrong)
        response.headers["Allow"] = ", ".join(methods)
        return response

    @app.exception_handler(OSError)
    async def _unable(_request: Request, error: OSError) -> AsciiResponse:
        if error.errno in DISK_FULL:
            full = DiskFullError("The server's disk is full.", "Free some space there.")
            return error_response(400, full)
        logger.error("a request failed", exc_info=error)
        return error_response(500, named_error(error))

    @app.get("/v1/machine")
    async def machine() -> AsciiResponse:
        """What is there: the card, free memory, the version, and how many videos are waiting."""
        facts = to_fields(await to_thread.run_sync(engine.machine))
        facts["held"] = None  # names a folder
        head = {"program_version": __version__, "videos_waiting": book.waiting()}
        return AsciiResponse({**facts, **head})

    @app.get("/v1/findings")
    async def findings() -> AsciiResponse:
        """What was found out by trying; not while a video is made: 409."""
        if book.making():
            return error_response(409, refused().error)
        return AsciiResponse(to_fields(await to_thread.run_sync(engine.examine)))

    @app.get("/v1/models")
    async def models() -> AsciiResponse:
        """How each known model would run, by its name."""
        known = await to_thread.run_sync(engine.prospects)
        return AsciiResponse({name: to_fields(prospect) for name, prospect in known.items()})

    @app.get("/v1/installed")
    async def installed() -> AsciiResponse:
        """What of the known models is here."""
        return AsciiResponse(await to_thread.run_sync(_installed, engine.models_dir))

    @app.post("/v1/installed/{name}/licence", status_code=204)
    async def accept(name: str) -> Response:
        """Accept what a model is published under."""
        entry = Registry.load().find(name)
        await to_thread.run_sync(accept_licence, entry.name, engine.models_dir)
        return Response(status_code=204)

    @app.websocket("/v1/tasks")
    async def task(socket: WebSocket) -> None:
        """Get a model: the first message says the task, such as ``{"task": "download", "model":
        NAME}``; what comes back is what happens. It ends with the connection."""
        await socket.accept()
        await perform(socket, installer)

    @app.post("/v1/plan", openapi_extra=_REQUEST)
    async def plan(request: Request) -> AsciiResponse:
        """What a request would take here, also with a model that is still to be got."""
        text = (await _body(request)).decode(errors="replace")
        wanted = book.accepted(_owner(request), text)
        return AsciiResponse(to_fields(await to_thread.run_sync(engine.plan, wanted)))

    @app.put("/v1/files/{digest}", status_code=204, openapi_extra=_MEDIA)
    async def upload(request: Request, digest: str) -> Response:
        """Bring a picture or a video, to be named ``sha256:DIGEST`` in requests."""
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and len(said) < 20:  # before any of it is read
            uploads.check_size(int(said))
        await uploads.take(_owner(request), digest, _chunks(request))
        return Response(status_code=204)

    @app.get("/v1/files/{digest}", status_code=204)
    async def is_here(request: Request, digest: str) -> Response:
        """Whether a file was brought; 204 or 404."""
        return Response(status_code=204) if uploads.has(_owner(request), digest) else _nothing()

    @app.get("/v1/jobs")
    async def jobs(request: Request) -> AsciiResponse:
        """Your videos, the newest first."""
        return AsciiResponse([_about(job) for job in book.of(_owner(request))])

    @app.post("/v1/jobs", status_code=201, responses={200: _THERE}, openapi_extra=_REQUEST)
    async def begin(
        request: Request,
        preview: bool = False,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> AsciiResponse:
        """Line up a video. What cannot be made here is refused, with 400, and leaves nothing
        behind; an ``Idempotency-Key`` of 8 to 64 hexadecimal digits makes asking again harmless."""
        text = (await _body(request)).decode(errors="replace")
        key = idempotency_key or hashlib.sha256(os.urandom(16)).hexdigest()
        asked = _owner(request), text, key, preview
        job, new = await to_thread.run_sync(_lined_up, engine, book, *asked)
        return AsciiResponse(_about(job), 201 if new else 200)

    @app.get("/v1/jobs/{job_id}")
    async def about(request: Request, job_id: str) -> AsciiResponse:
        """One video: its state, and its files once it has ended."""
        job = _job(book, request, job_id)
        files = [{"name": p.name, "bytes": p.stat().st_size} for p in job.files()]
        return AsciiResponse({**_about(job), "files": files, "last": job.last})

    @app.delete("/v1/jobs/{job_id}", status_code=204)
    async def remove(request: Request, job_id: str) -> Response:
        """End a video, and delete what there is of it."""
        await to_thread.run_sync(book.remove, _job(book, request, job_id))
        return Response(status_code=204)

    @app.head("/v1/jobs/{job_id}/files/{index}", include_in_schema=False)
    @app.get("/v1/jobs/{job_id}/files/{index}")
    async def file(request: Request, job_id: str, index: int) -> Response:
        """One of a video's files, by its place in the list. Parts can be asked for."""
        files = _job(book, request, job_id).files()
        if not 0 <= index < len(files):
            return _nothing()
        return FileResponse(files[index])

    @app.get("/v1/takes")
    async def takes(request: Request) -> AsciiResponse:
        """The kept latents of your videos, the newest first."""
        return AsciiResponse(await to_thread.run_sync(_takes, book, _owner(request)))

    @app.get("/v1/takes/{name}")
    async def take(request: Request, name: str) -> AsciiResponse:
        """The kept latents of one video."""
        found = _take(book, _owner(request), TakeStore(default_takes_dir()).find(name))
        if found is None:
            raise not_kept()
        return AsciiResponse(found)

    @app.websocket("/v1/jobs/{job_id}/events")
    async def events(socket: WebSocket, job_id: str, after: int = 0, from_byte: int = 0) -> None:
        """Text messages are the video's events after a number; binary ones are the bytes of the
        growing file from an offset. Commands go the other way."""
        job = book.find(socket.state.owner, job_id)
        if job is None:
            await socket.send_denial_response(_nothing())
            return
        await socket.accept()
        tasks = [
            asyncio.create_task(_tell(socket, job, after, max(0, from_byte))),
            asyncio.create_task(_hear(socket, job, book)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the other side was first
            await socket.close()

    return Guard(app, tokens, most_at_once)


async def _tell(socket: WebSocket, job: Job, after: int, from_byte: int) -> None:
    """Send what has happened and what has grown, and go on until the job has ended."""
    loop, happened = asyncio.get_running_loop(), asyncio.Event()
    wake = partial(loop.call_soon_threadsafe, happened.set)
    stream = _GrowingFile(job, from_byte)
    job.listen(wake)
    try:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                happened.clear()
                last = job.last
                for event in job.events_after(after):
                    if is_last(event):
                        break
                    if event["event"] == Restarted.kind:
                        stream.close()
                        stream = _GrowingFile(job, 0)
                    await socket.send_text(json.dumps(event))
                    after = event["number"]
                if piece := await to_thread.run_sync(stream.read):
                    await socket.send_bytes(piece)
                elif last is None:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(happened.wait(), _LOOK_S)
                else:  # after all of its frames
                    if last["number"] > after:
                        await socket.send_text(json.dumps(last))
                    return
    finally:
        job.leave(wake)
        stream.close()


async def _hear(socket: WebSocket, job: Job, book: JobBook) -> None:
    """Pass on commands; each is answered with its id, and counts once however often it comes."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            text = await socket.receive_text()
            try:
                data = parse_json(text)
                command = _command(data)
            except (ValueError, AttributeError) as error:
                name = error.name if isinstance(error, WrongField) else "command"
                await socket.send_text(json.dumps({"refused": name}))
                continue
            said = str(data.get("id", ""))[:64]
            if said not in job.heard or not said:
                job.heard.add(said)
                await to_thread.run_sync(book.control, job, command)
            await socket.send_text(json.dumps({"heard": said}))
            await asyncio.sleep(1 / _COMMANDS_PER_S)


def _command(data: dict[str, Any]) -> Command:
    """A command that a video can be told.

    Raises:
        WrongField: it is none.
    """
    command = command_from_dict(data)
    if isinstance(command, ChangePrompt):
        if command.from_chunk < 0:
            raise WrongField("from_chunk", Message("is {value}", value=command.from_chunk))
        try:
            check_letters(command.text)
        except InvalidRequestError as error:
            raise WrongField("text", error.message) from error
    return command


class _GrowingFile:
    """Reads what is new in a file that another process appends to, and later replaces."""

    def __init__(self, job: Job, offset: int) -> None:
        self._job, self._offset = job, offset
        self._file: BinaryIO | None = None
        self._identity: tuple[int, int] | None = None

    def read(self) -> bytes:
        """The next bytes; none: there are none yet, or it is the finished file now."""
        try:
            file = self._file or self._opened()
            if file is None:
                return b""
            file.seek(self._offset)
            data = file.read(_PIECE_BYTES)
        except OSError:  # it has its own name now
            return b""
        if os.name == "nt":  # open, it could not be replaced
            self.close()
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO | None:
        path = find_growing(self._job.output)  # after a restart it comes to be another
        if path is None or self._job.last is not None:
            return None
        self._file = path.open("rb", buffering=0)
        status = os.fstat(self._file.fileno())
        identity = status.st_dev, status.st_ino
        if self._identity not in (None, identity):
            self.close()
        self._identity = self._identity or identity
        return self._file


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Those that an address can be asked with."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    there = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in there for method in route.methods or ()})


async def _body(request: Request) -> bytes:
    """A body of JSON.

    Raises:
        InvalidRequestError: it is too large, or comes too slowly.
    """
    data = b""
    async for chunk in _chunks(request):
        data += chunk
        if len(data) > MOST_JSON_BYTES:
            raise too_large(MOST_JSON_BYTES)
    return data


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """A body as it comes.

    Raises:
        InvalidRequestError: too slowly.
    """
    loop = asyncio.get_running_loop()
    begun, size, stream = loop.time(), 0, aiter(request.stream())
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), _BODY_S)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow() from None
        except ClientDisconnect:  # nobody hears the answer; the log keeps no traceback
            raise InvalidRequestError("The connection was cut.", "Send it again.") from None
        size += len(chunk)
        if loop.time() - begun > _BODY_S + size / _SLOWEST_BYTES_PER_S:
            raise _too_slow()
        yield chunk


def _too_slow() -> InvalidRequestError:
    return InvalidRequestError("The request comes too slowly.", "Send it again.")


def _owner(request: Request) -> str:
    return request.state.owner


def _below(folder: Path, said: Any) -> Any:
    """A message whose paths begin with the folder of models, which only says what it is called."""
    if isinstance(said, Message):
        return said.filled(**{name: _below(folder, v) for name, v in said.values.items()})
    if isinstance(said, str) and said.startswith(f"{folder}{os.sep}"):
        return str(Path(said).relative_to(folder.parent))
    return said


def _installed(models_dir: Path | None) -> list[dict[str, Any]]:
    return [
        {
            "status": to_fields(status),
            "accepted": is_accepted(status.entry.name, models_dir),
            "shrinkable": is_shrinkable(status.entry, models_dir),
        }
        for status in model_statuses(models_dir)
    ]


def _job(book: JobBook, request: Request, job_id: str) -> Job:
    job = book.find(_owner(request), job_id)
    if job is None:
        raise RemoteError("There is no such video there.")
    return job


def _lined_up(
    engine: Asked, book: JobBook, owner: str, text: str, key: str, preview: bool
) -> tuple[Job, bool]:
    """As ``book.add``, if the engine can make it. Raises: MagiError: why it cannot."""
    if book.with_key(owner, key) is None:  # else it is under way, whatever it needs
        with contextlib.suppress(EngineDiedError, UnexpectedError):  # which says nothing of it
            engine.check(book.accepted(owner, text))
    return book.add(owner, text, key, preview)


def _about(job: Job) -> dict[str, Any]:
    request = parse_json(job.about.request)
    return {"id": job.id, "state": job.state, "created": job.about.created_s, "request": request}


def _takes(book: JobBook, owner: str) -> list[dict[str, Any]]:
    known = (_take(book, owner, take) for take in TakeStore(default_takes_dir()).all())
    return [take for take in known if take is not None]


def _take(book: JobBook, owner: str, take: Take) -> dict[str, Any] | None:
    """As its owner knows it: files have the names of the request that was sent. None: it is
    another's, or its video is gone."""
    job = book.job_of_take(take.name)
    if job is None or job.about.owner != owner:
        return None
    sent, made = map(GenerationRequest.from_json, (job.about.request, take.about.request))
    names = {n: getattr(sent, n) for n in ("output", "reference", "start", "writing")}
    request = dataclasses.replace(made, **names).to_json()
    about = dataclasses.replace(take.about, request=request)
    return {**to_fields(dataclasses.replace(take, about=about)), "folder": take.name}


def _nothing() -> AsciiResponse:
    return error_response(404, _NOTHING)
