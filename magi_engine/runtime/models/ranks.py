"""The processes of the other cards that make a video together with this one, which leads."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from magi_engine.errors import DeviceError, EngineDiedError, MagiError
from magi_engine.messages import Message
from magi_engine.ops.mesh import ALONE, Mesh, Shortage, abort, join, leave
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.process.control import Cancel, JobCancelled
from magi_engine.runtime.process.worker import Answer, Run, Worker
from magi_engine.sampling.sampler import next_task

logger = logging.getLogger(__name__)

BEAT_S = 1.0
"""How often each process says that it is alive."""
_SILENT_S = 15.0
"""One that has said nothing for so long hangs."""
_STUCK_S = 20.0
"""How much longer than expected a step may take."""
_ASLEEP_S = 5.0
"""Who looks every second and finds so much gone by was asleep itself."""
_REASON_S = 5.0
"""How long to wait for why an exchange has failed."""
JOIN_S = 60.0
"""How long processes that are all there may take to find each other."""


@dataclass(frozen=True)
class Seat:
    """A process's place in a mesh.

    Attributes:
        device: it computes on.
        store: see :func:`magi_engine.ops.mesh.join`.
    """

    rank: int
    device: str
    store: Path


@dataclass(frozen=True)
class Beat:
    """A process is alive.

    Attributes:
        there: whether its model is loaded.
    """

    there: bool


@dataclass(frozen=True)
class Did:
    """A process has asked its card for a forward; said by the leading one, all have.

    Attributes:
        did: False: there was too little memory.
    """

    did: bool


class RankProcess(Worker):
    """A process that computes its share of what another one samples, and keeps the model."""

    module = "magi_engine.runtime.rank_child"
    lasting = True
    end_s = 2.0
    patience_s = 10.0


class Ranks:
    """The processes of the other cards; they stay for the next video."""

    def __init__(self, models_dir: Path | None, cache_dir: Path | None) -> None:
        self._places = models_dir, cache_dir
        self._processes: list[RankProcess] = []

    @contextlib.contextmanager
    def of(self, plan: JobPlan) -> Iterator[Team]:
        """Those of a job; their models load meanwhile. They are given up if the job fails.

        Raises:
            DeviceError: one of them has died or hangs.
            MagiError: what one of them failed with.
        """
        count = len(plan.devices) - 1
        while len(self._processes) < count:
            process = RankProcess(*self._places)
            level = logging.getLogger("magi_engine").level
            process.log_level = logging.getLevelName(level) if level else "ERROR"
            self._processes.append(process)
        team = Team(plan, self._processes[:count])
        try:
            yield team
        except (JobCancelled, GeneratorExit):
            team.end()
            raise
        except Exception as error:
            reason = team.reason(error)
            team.give_up()
            raise reason from None
        except BaseException:
            team.give_up()
            raise
        else:
            team.end()

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.close()
        self._processes.clear()


class _Member:
    """A process at work."""

    def __init__(self, process: RankProcess, run: Run) -> None:
        self.process, self.run = process, run
        self.there = self.over = False
        self.did = deque[bool]()
        self.heard_s: float | None = None


class Team:
    """The processes of one job, watched; for one card nobody.

    Attributes:
        mesh: alone until :meth:`join`.
    """

    def __init__(self, plan: JobPlan, processes: list[RankProcess]) -> None:
        self.mesh: Mesh = ALONE
        self._device = torch.device(plan.devices[0])
        self._size = len(plan.devices)
        self._changed = threading.Condition()
        self._failure: MagiError | None = None
        self._deadline_s: float | None = None
        self._members: list[_Member] = []
        if not processes:
            return
        self._folder = Path(tempfile.mkdtemp(prefix="magi-mesh-"))
        for rank, process in enumerate(processes, start=1):
            seat = Seat(rank, plan.devices[rank], self._store)
            self._members.append(_Member(process, process.begin((plan, seat))))
        for member in self._members:
            self._start(self._listen, member)
        self._start(self._watch)

    @property
    def there(self) -> bool:
        """Whether all have loaded their models.

        Raises:
            MagiError: see :meth:`check`.
        """
        self.check()
        return all(member.there for member in self._members)

    def join(self) -> Mesh:
        """The mesh, once all are there."""
        if self._members:
            self._share("join")
            self.mesh = join(
                self._store, 0, self._size, self._device, JOIN_S, self._share, self._all_did
            )
        return self.mesh

    @property
    def lost(self) -> bool:
        """Whether one of them has failed."""
        return self._failure is not None

    def check(self) -> None:
        """Raise what has become of one of them, if it has.

        Raises:
            DeviceError: it has died or hangs.
            MagiError: what it failed with.
        """
        if self._failure is not None:
            raise self._failure

    def expect_within(self, seconds: float | None) -> None:
        """From now on a step is to take so long; None: it may take any time."""
        self._deadline_s = None if seconds is None else time.monotonic() + seconds + _STUCK_S

    def reason(self, error: Exception) -> Exception:
        """Why an exchange has failed, if it was one."""
        if self.mesh.size > 1 and not isinstance(error, MagiError):
            with self._changed:
                self._changed.wait_for(lambda: self._failure is not None, _REASON_S)
        return self._failure or error

    def end(self) -> None:
        """Let all go; they keep their models. Who does not obey is killed."""
        try:
            if self.mesh.size > 1:
                self.expect_within(0.0)
                next_task(self.mesh)
                leave()
        except Exception:
            logger.info("the mesh did not end in order", exc_info=True)
            self.give_up()
            return
        self._close()

    def give_up(self) -> None:
        """End all processes, whatever they do."""
        for member in self._members:
            member.process.kill()
        with contextlib.suppress(Exception):
            abort()
        with contextlib.suppress(Exception):
            leave(in_order=False)
        self._close()

    def _close(self) -> None:
        self.mesh = ALONE
        with self._changed:
            self._members, members = [], self._members
            self._changed.notify_all()
        for member in members:
            if not member.over:  # it waits for a mesh that will not come, or still says goodbye
                member.run.control(Cancel())
        if members:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _store(self) -> Path:
        return self._folder / "store"

    def _share(self, value: object) -> Any:
        for member in self._members:
            member.run.control(value)  # type: ignore[arg-type]
        return value

    def _all_did(self, did: bool) -> bool:
        if not did:  # perhaps one waits for what was to be decided in the forward
            self._share(Shortage())
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure is not None or all(m.did for m in self._members)
            )
            self.check()
            said = [member.did.popleft() for member in self._members]
        return self._share(Did(did and all(said))).did

    def _start(self, target: Any, *args: Any) -> None:
        threading.Thread(target=target, args=args, name="mesh", daemon=True).start()

    def _listen(self, member: _Member) -> None:
        error: MagiError | None = None
        try:
            for event in member.run:
                member.heard_s = time.monotonic()
                if isinstance(event, Beat):
                    member.there = event.there
                elif isinstance(event, Did):
                    with self._changed:
                        member.did.append(event.did)
                        self._changed.notify_all()
                elif isinstance(event, Answer):
                    error = event.value
        except EngineDiedError as died:
            error = _lost(died.message)
        member.over = True
        if error is not None:
            self._fail(error)

    def _watch(self) -> None:
        before_s = time.monotonic()
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: not self._members or self._failure, BEAT_S):
                    return
            now_s = time.monotonic()
            if now_s - before_s > _ASLEEP_S:
                for member in self._members:
                    member.heard_s = now_s
            elif any(
                not member.over and now_s - (member.heard_s or now_s) > _SILENT_S
                for member in self._members
            ) or now_s > (self._deadline_s or now_s):
                self._fail(_lost(Message("One of them does not answer any more.")))
            before_s = now_s

    def _fail(self, error: MagiError) -> None:
        """Note why it is over, and free whoever waits for the others."""
        with self._changed:
            if self._failure is not None or not self._members:
                return
            self._failure = error
            self._changed.notify_all()
            members = self._members
        logger.error("the mesh is broken: %s", error)
        for member in members:
            member.process.kill()
        with contextlib.suppress(Exception):
            abort()


def _lost(why: Message) -> DeviceError:
    return DeviceError(
        "The graphics cards that made this video together have lost one of them. {why}",
        "Try again, or use one card.",
        why=why,
    )
