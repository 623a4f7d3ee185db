"""The engine of another machine, with the methods of ``magi_engine.runtime.engine.Engine``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from magi_engine.atomic import write_text
from magi_engine.errors import InvalidRequestError, MagiError, RemoteError
from magi_engine.json_text import WrongField, read_cache, read_fields
from magi_engine.media.targets import check_target
from magi_engine.remote.connection import Connection, Unreachable, another_version
from magi_engine.remote.job import RemoteJob, named_as_here
from magi_engine.runtime.job.events import Event, Failed, refused
from magi_engine.runtime.machine.facts import Finding, MachineFacts
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.planning.prospects import Prospect
from magi_engine.runtime.planning.quantization import QuantizationEstimate
from magi_engine.runtime.process.control import Command
from magi_engine.runtime.process.errors import named_error
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.speed.report import Measuring, SpeedReport
from magi_engine.takes.store import Take, Takes

logger = logging.getLogger(__name__)


class RemoteEngine:
    """Has videos made on another machine; each is there at its end, byte for byte as there.

    Args:
        records: a folder for what is known of jobs that have not been fetched, so that they are
            found again after a restart.
        first_tries: how often an address is tried that has never answered, unless a video was
            begun there before; None: as often as it takes.
    """

    def __init__(
        self, connection: Connection, records: Path, first_tries: int | None = None
    ) -> None:
        self.connection, self._records = connection, records
        self._first_tries = first_tries
        self._job: RemoteJob | None = None
        self._closed = False
        self._running = threading.Lock()
        self.takes: Takes = RemoteTakes(connection)

    outlives = True

    def start(self) -> None:
        """There is nothing to start."""

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        """Have a video made while the returned generator is pulled.

        As ``Engine.generate``, but the events carry no latents, and the request needs an output.
        While the connection is cut the generator waits, and then goes on with what it missed.
        Closing the generator leaves the job as it is: the same request goes on with it.
        """
        job = self._job = RemoteJob(self.connection)
        if self._closed:
            job.leave()
        return self._generate(job, request, preview)

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something; from any thread, at any time."""
        if self._job is not None:
            self._job.control(command)

    def measure(self) -> Iterator[Measuring | SpeedReport]:
        """Raises: MagiError: only whoever sits there can."""
        raise MagiError(
            "Another machine's speed cannot be measured from here.", "Run magi bench there."
        )
        yield

    def stop_measuring(self) -> None:
        """There is nothing to stop."""

    def unload(self) -> None:
        """What that machine keeps in memory is its own matter."""

    def examine(self) -> list[Finding]:
        """What that machine can do. Raises: MagiError."""
        return [_read(Finding, finding) for finding in self.connection.get("/v1/findings")]

    def machine(self) -> MachineFacts:
        """What that machine has to offer. Raises: MagiError."""
        return _read(MachineFacts, self.connection.get("/v1/machine"))

    def videos_waiting(self) -> int:
        """How many videos wait there or are made. Raises: MagiError."""
        return int(self.connection.get("/v1/machine")["videos_waiting"])

    def plan(self, request: GenerationRequest) -> JobPlan:
        """How a request would be made there. Raises: MagiError."""
        try:
            plan = _read(JobPlan, self.connection.post("/v1/plan", self._sent(request)))
        except MagiError as error:
            if request.reference is None:
                raise
            raise named_as_here(error, request) from error
        return dataclasses.replace(plan, request=request)

    def prospects(self) -> dict[str, Prospect]:
        """How each known model would run there. Raises: MagiError."""
        return {n: _prospect(p) for n, p in self.connection.get("/v1/models").items()}

    def close(self) -> None:
        """Stop listening; a job under way goes on there."""
        self._closed = True
        if self._job is not None:
            self._job.leave()
        self.connection.close()

    def is_making(self, request: GenerationRequest) -> bool:
        """Whether a job of before a restart is still there, or what it has made."""
        return self._known(self._record_of(request), request) is not None

    def unfinished(self, request: GenerationRequest) -> Earlier | None:
        """A video that was begun there with ``request`` and did not come to its end."""
        try:
            sent = GenerationRequest.from_json(self._sent(request))
            earlier = Earlier.unfinished(sent, self.takes)
        except RemoteError as error:
            logger.info("nothing is known of earlier videos: %s", error)
            return None
        if earlier is None:
            return None
        # There they have other names.
        here = {"output": request.output, "reference": request.reference}
        return dataclasses.replace(earlier, request=dataclasses.replace(earlier.request, **here))

    def _generate(
        self, job: RemoteJob, request: GenerationRequest, preview: bool
    ) -> Iterator[Event]:
        if not self._running.acquire(blocking=False):
            yield refused()
            return
        try:
            if request.output is None:
                raise InvalidRequestError(
                    "A video from another machine needs a file here.", "Choose a name."
                )
            record = self._record_of(request)
            tries = None if self.is_making(request) else self._first_tries
            yield from job.events(request, lambda: self._begun(record, request, preview), tries)
            if job.settled:
                record.unlink(missing_ok=True)
        except Exception as error:
            yield Failed(named_as_here(named_error(error), request), path=None, frames=0)
        finally:
            self._running.release()

    def _record_of(self, request: GenerationRequest) -> Path:
        name = f"{self.connection.address} {request.output}"
        return self._records / f"{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}.json"

    def _begun(self, record: Path, request: GenerationRequest, preview: bool) -> str:
        """The id of the job there; asking again gives the same one.

        Raises:
            OutputError: its video cannot be written. Unreachable: nobody answers. MagiError: what
                the other side says.
        """
        key = self._known(record, request)
        if key is not None and (job_id := self._found(key)) is not None:
            return job_id
        if key is None:
            check_target(Path(request.output or ""), request.writing.overwrite)
            key = secrets.token_hex(16)
            wanted = {"request": request.as_wished().to_json(), "key": key}
            write_text(record, json.dumps(wanted))
        query = "?preview=true" if preview else ""
        try:
            job_id = self._asked(key, self._sent(request), query)
        except Unreachable:  # it is not known what came there
            raise
        except MagiError:
            record.unlink(missing_ok=True)
            raise
        return job_id

    def _found(self, key: str) -> str | None:
        """The id of the job there that was asked for with a key, whatever has become of its files
        here; None: there is none."""
        try:
            return self._asked(key, "")
        except RemoteError:
            raise
        except MagiError:  # nothing cannot be made
            return None

    def _asked(self, key: str, body: str, query: str = "") -> str:
        answer = self.connection.post(f"/v1/jobs{query}", body, **{"Idempotency-Key": key})
        self._first_tries = None
        return str(answer["id"])

    def _known(self, record: Path, request: GenerationRequest) -> str | None:
        """The key of a job that was begun with a request and not fetched."""
        known = read_cache(record)
        if not isinstance(known, dict) or known.get("request") != request.as_wished().to_json():
            return None
        return str(known.get("key"))

    def _sent(self, request: GenerationRequest) -> str:
        """A request as the other side takes it: files by their content, and no path of here.

        Raises:
            MagiError: a file cannot be sent.
        """
        if request.config_path is not None:
            raise InvalidRequestError(
                "A configuration file cannot be used on another machine.",
                "Choose a model that it has.",
            )
        reference, start, output = request.reference, request.start, request.output
        if reference is not None and not reference.startswith("sha256:"):
            reference = self.connection.send(Path(reference))
        if start is not None:
            start = dataclasses.replace(start, video=None)
        suffix = "" if output is None else Path(output).suffix
        return dataclasses.replace(
            request.as_wished(), reference=reference, start=start, output=f"video{suffix}"
        ).to_json()


class RemoteTakes:
    """The kept latents of one's videos there; what is known of them, not they themselves."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Take:
        """A take by its name. Raises: MagiError: it is not there."""
        return _read(Take, self._connection.get(f"/v1/takes/{name}"))

    def all(self) -> list[Take]:
        """Every take, the newest first. Raises: MagiError."""
        return [_read(Take, take) for take in self._connection.get("/v1/takes")]

    def check(self, take: Take) -> None:
        """That is done there when a video goes on from it."""


def _prospect(data: dict[str, Any]) -> Prospect:
    plan, quantization = data["plan"], data["quantization"]
    kind = MagiError.from_dict if "error" in plan else lambda p: _read(JobPlan, p)
    made = None if quantization is None else _read(QuantizationEstimate, quantization)
    return Prospect(kind(plan), made)


def _read(cls: type[Any], data: Any) -> Any:
    try:
        return read_fields(cls, data)
    except (WrongField, InvalidRequestError) as error:
        logger.info("what came cannot be read: %s", error)
        raise another_version() from error
