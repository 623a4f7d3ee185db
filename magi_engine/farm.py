"""The application of :mod:`magi_engine.serve` on many cards and machines, with Ray Serve.

One replica answers everybody and keeps the book of jobs; every other one is an engine with cards of
its own. To have a video made is one request to the engines: waiting, turns, more engines and the
check whether they live are Ray Serve's. What they share is a folder.
"""

# Serve looks at the annotation of what builds an application: it may not be a string.
import asyncio
import contextlib
import dataclasses
import os
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, Field
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.exceptions import RayServeException, RequestCancelledError
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator
from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica
from starlette.types import ASGIApp

from magi_engine.config.places import default_serve_dir
from magi_engine.errors import EngineDiedError, MagiError
from magi_engine.install.process import InstallProcess
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import Cancelled, ChunkReady, Event, Failed
from magi_engine.runtime.machine.facts import Finding, MachineFacts
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.planning.prospects import Prospect
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.serve.app import application
from magi_engine.serve.job import Job
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads

NAME = "magi"
_FAILURES = (RayError, RayServeException, RequestCancelledError, CancelledError)
"""What becomes of a request to a replica that is gone, or that was taken back."""
_MOST_JOBS = 1000
"""That wait for an engine at a time; more wait until those are made."""
_MOST_QUESTIONS = 16
"""That an engine answers at a time, beside its video."""
_ASK_TRIES = 3
_PATIENCE_S = 24 * 3600.0
"""How long an engine that is no longer needed may still make its video."""


class FarmOptions(BaseModel):
    """How the farm runs.

    Attributes:
        folder: for jobs, takes, models and what clients bring; the same on all machines.
        cards: graphics cards of each engine.
        cpus: processor cores of each engine.
        engines_min, engines_max: how many engines there are; as many as are needed.
        idle_s: how long there are more than are needed.
        most_each: how many engines make videos for one key at a time; 0: all.
    """

    folder: Path = Field(default_factory=default_serve_dir)
    token_file: Path | None = None
    models_dir: Path | None = None
    cards: int = Field(1, ge=0)
    cpus: int = Field(1, ge=0)
    engines_min: int = 1
    engines_max: int = 32
    idle_s: float = Field(600.0, ge=0)
    most_each: int = Field(0, ge=0)
    log_prompts: bool = False

    @property
    def keys(self) -> Path:
        """The file with the keys."""
        return self.token_file or self.folder / "token"


def app(options: FarmOptions) -> serve.Application:
    """The farm as an application of Ray Serve: ``serve run magi_engine.farm:app folder=DIR``."""
    paths = {"folder": options.folder.absolute(), "token_file": options.keys.absolute()}
    options = options.model_copy(update=paths)
    environment = {"env_vars": {"XDG_DATA_HOME": str(options.folder)}}
    engines = serve.deployment(
        _Engine,
        name="engine",
        ray_actor_options={
            "num_cpus": options.cpus,
            "num_gpus": options.cards,
            "runtime_env": environment,
        },
        autoscaling_config=AutoscalingConfig(
            min_replicas=options.engines_min,
            max_replicas=options.engines_max,
            target_ongoing_requests=1,
            upscale_delay_s=5.0,
            downscale_delay_s=options.idle_s,
        ),
        max_ongoing_requests=1 + _MOST_QUESTIONS,
        request_router_config=RequestRouterConfig(
            request_router_class=FairRouter,
        ),
        health_check_timeout_s=60.0,
        graceful_shutdown_timeout_s=_PATIENCE_S,
    ).bind(options)
    front = serve.deployment(
        serve.ingress()(_Front),
        name="front",
        num_replicas=1,
        ray_actor_options={"num_cpus": 0, "runtime_env": environment},
        max_ongoing_requests=_MOST_JOBS,
        graceful_shutdown_timeout_s=5.0,
    )
    # Two handles: questions do not wait behind the videos that wait for an engine.
    return front.bind(options, engines, engines)


class FairRouter(RequestRouter):
    """Sends every video to an engine without one, in turns: first whose videos are being made by
    the fewest engines, then who has waited longest. Questions go to any engine."""

    def initialize_state(self) -> None:
        """Called by Ray Serve once."""
        self._made: dict[str, tuple[ReplicaID, str]] = {}
        """Videos that are being made, by their requests: where, and for whom."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """The engines that could be sent something now."""
        if pending_request is None:
            return []
        pending_request.routing_context.should_backoff = True  # before it is looked again
        if _owner(pending_request) is None:
            return [candidate_replicas]
        if not pending_request.future.done():  # an engine that was chosen has refused it
            self._made.pop(pending_request.metadata.internal_request_id, None)
        busy = {replica for replica, _ in self._made.values()}
        free = [r for r in candidate_replicas if r.replica_id not in busy]
        return [free] if free and self._next() is not None else []

    def _fulfill_next_pending_request(
        self, replica: RunningReplica, request_metadata: Any = None
    ) -> None:
        asked = self._get_pending_request_matching_internal_request_id(request_metadata)
        if asked is None or _owner(asked) is None:
            super()._fulfill_next_pending_request(replica, request_metadata)
            return
        # As ``FIFOMixin``, with another order.
        request = self._next()
        if request is None or any(where == replica.replica_id for where, _ in self._made.values()):
            return  # another one was quicker
        made = replica.replica_id, _owner(request) or ""
        self._made[request.metadata.internal_request_id] = made
        self._cancel_routing_task_for_pending_request(request)
        self._record_queue_wait_time(request)
        request.future.set_result(replica)
        self._remove_pending_request_from_indices(request)

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """Called by Ray Serve at the end of every request, however it ends."""
        del replica_id
        self._made.pop(internal_request_id, None)

    def _next(self) -> PendingRequest | None:
        owners = [owner for _, owner in self._made.values()]

        def turn(request: PendingRequest) -> tuple[int, float]:
            return owners.count(_owner(request) or ""), request.created_at

        waiting = [r for r in self._pending_requests_to_fulfill if not r.future.done()]
        waiting = [r for r in waiting if _owner(r) is not None]
        return min(waiting, key=turn, default=None)


def _owner(request: PendingRequest) -> str | None:
    """Whose video is asked for; None: a question."""
    return request.kwargs.get("owner")


def _enter(folder: Path) -> None:
    """Paths are relative from here on: they stand in videos and logs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(folder)


class _Engine:
    """A replica that makes one video at a time."""

    def __init__(self, options: FarmOptions) -> None:
        _enter(options.folder)
        context = serve.get_replica_context()
        log_file = Path(f"engine-{context.replica_id.unique_id}.log").absolute()
        self._front = serve.get_app_handle(context.app_name)
        self._cards = options.cards
        self._engine = EngineProcess(options.models_dir, log_file=log_file)
        self._engine.start()
        self._free = asyncio.Lock()

    async def make(
        self, key: str, request: GenerationRequest, preview: bool, owner: str
    ) -> AsyncIterator[Event]:
        """The events of a video; of the frames of chunks there is only their number."""
        del owner  # for the router
        async with self._free:
            loop, queue = asyncio.get_running_loop(), asyncio.Queue[Event | None]()
            events = self._engine.generate(self._here(request), preview)

            def pull() -> None:
                for event in events:
                    loop.call_soon_threadsafe(queue.put_nowait, event)
                loop.call_soon_threadsafe(queue.put_nowait, None)

            hearing = asyncio.create_task(self._hear(key))
            pulling = asyncio.create_task(asyncio.to_thread(pull))
            try:
                while (event := await queue.get()) is not None:
                    if hearing.done() and isinstance(event, Cancelled):
                        return  # whoever kept the book is gone; the next one goes on with it
                    if isinstance(event, ChunkReady):
                        event = dataclasses.replace(event, frames=event.frames[:, :0, :0])
                    yield event
            finally:
                hearing.cancel()
                self._engine.control(Cancel())
                await pulling

    async def ask(self, name: str, *arguments: Any) -> Any:
        """What the engine says to one of its questions; an error is given back as such."""
        try:
            arguments = tuple(
                self._here(a) if isinstance(a, GenerationRequest) else a for a in arguments
            )
            return await asyncio.to_thread(getattr(self._engine, name), *arguments)
        except MagiError as error:
            return error

    async def check_health(self) -> None:
        """Called by Ray Serve: an engine that does not answer is replaced."""
        await asyncio.to_thread(self._engine.machine)

    def __del__(self) -> None:
        self._engine.close()

    def _here(self, request: GenerationRequest) -> GenerationRequest:
        return dataclasses.replace(request, cards=self._cards) if self._cards > 1 else request

    async def _hear(self, key: str) -> None:
        with contextlib.suppress(*_FAILURES):
            async for command in self._front.options(stream=True).commands.remote(key):
                self._engine.control(command)
        self._engine.control(Cancel())


class _Front:
    """The replica that answers clients; what makes their videos are the engines."""

    def __init__(
        self, options: FarmOptions, engines: DeploymentHandle, asked: DeploymentHandle
    ) -> None:
        _enter(options.folder)
        tokens = Tokens(options.keys)
        self._lock = FileLock("lock")
        self._lock.acquire()  # once the front before is gone
        self.loop = asyncio.get_running_loop()
        self.engines = engines.options(stream=True)
        self._most_each = options.most_each
        self.making: dict[str, _Making] = {}
        """The videos that are wanted now, in their order."""
        self.turns = threading.Condition()
        """Guards that, and tells of every change."""
        uploads = Uploads()
        book = JobBook(self._making, uploads, log_prompts=options.log_prompts, at_once=_MOST_JOBS)
        installer = InstallProcess(options.models_dir, log_file=Path("install.log").absolute())
        asked_engine = _Asked(asked, options.models_dir)
        self._app = application(asked_engine, installer, book, uploads, tokens, _MOST_JOBS)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return self._app

    async def commands(self, key: str) -> AsyncIterator[Command]:
        """What an engine is told about the video it makes; ends when nobody wants that any more."""
        making = self.making.get(key)
        while making is not None and (command := await making.commands.get()) is not None:
            yield command

    @contextlib.contextmanager
    def _making(self, job: Job) -> Iterator["_Making"]:
        key = secrets.token_hex(16)
        with self.turns:
            making = self.making[key] = _Making(self, key, job.about.owner)
        try:
            yield making
        finally:
            making.close()
            with self.turns:
                del self.making[key]
                self.turns.notify_all()

    def has_turn(self, making: "_Making") -> bool:
        """Whether a video is among as many as its key may have made at a time. Those that are not
        are not asked for: Ray Serve would start engines for them."""
        own = [other for other in self.making.values() if other.owner == making.owner]
        return not self._most_each or making in own[: self._most_each]


class _Making:
    """What makes a job's video: one of the engines."""

    def __init__(self, front: _Front, key: str, owner: str) -> None:
        self._front, self._key, self.owner = front, key, owner
        self._begun = self._cancelled = False
        self._response: DeploymentResponseGenerator[Event] | None = None
        self.commands = asyncio.Queue[Command | None]()

    def generate(self, request: GenerationRequest, preview: bool) -> Iterator[Event]:
        """As ``EngineProcess.generate``."""
        front = self._front
        with front.turns:
            front.turns.wait_for(lambda: self._cancelled or front.has_turn(self))
            if self._cancelled:
                yield Cancelled(None, 0)
                return
            make = front.engines.make
            response = make.remote(self._key, request, preview, owner=self.owner)
            self._response = response
        yield from self._events(response)

    def control(self, command: Command) -> None:
        """Tell the engine something, if need be once it is there."""
        if isinstance(command, Cancel):
            with self._front.turns:
                self._cancelled = True
                self._front.turns.notify_all()
            if self._response is not None and not self._begun:
                self._response.cancel()
        self._tell(command)

    def close(self) -> None:
        """Do without the video."""
        self._tell(None)

    def _events(self, response: Iterator[Event]) -> Iterator[Event]:
        try:
            for event in response:
                self._begun = True
                yield event
        except _FAILURES as error:
            if self._cancelled:
                yield Cancelled(None, 0)
            else:
                died = EngineDiedError("The engine that made this is gone.", "Try again.")
                died.__cause__ = error
                yield Failed(died, None, 0)

    def _tell(self, command: Command | None) -> None:
        self._front.loop.call_soon_threadsafe(self.commands.put_nowait, command)


class _Asked:
    """Whichever engine has an answer."""

    def __init__(self, handle: DeploymentHandle, models_dir: Path | None) -> None:
        self._handle, self.models_dir = handle, models_dir

    def machine(self) -> MachineFacts:
        return self._ask("machine")

    def examine(self) -> list[Finding]:
        return self._ask("examine")

    def prospects(self) -> dict[str, Prospect]:
        return self._ask("prospects")

    def plan(self, request: GenerationRequest) -> JobPlan:
        return self._ask("plan", request)

    def check(self, request: GenerationRequest) -> None:
        self._ask("check", request)

    def _ask(self, name: str, *arguments: Any) -> Any:
        for _ in range(_ASK_TRIES):
            with contextlib.suppress(*_FAILURES):
                answer = self._handle.ask.remote(name, *arguments).result()
                if isinstance(answer, MagiError):
                    raise answer
                return answer
        raise EngineDiedError("No engine answers.", "Try again.")
