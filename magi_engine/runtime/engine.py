"""The engine's face: one request in, a stream of events out."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

from magi_engine.config.places import default_cache_dir, default_takes_dir
from magi_engine.runtime.job.events import Event, Failed, refused
from magi_engine.runtime.job.job import Job
from magi_engine.runtime.machine.devices import choose_device
from magi_engine.runtime.machine.facts import Finding, MachineFacts, look_around
from magi_engine.runtime.models.loaded import ModelCache
from magi_engine.runtime.models.ranks import Ranks
from magi_engine.runtime.planning.plan import JobPlan, plan
from magi_engine.runtime.planning.possible import model_of
from magi_engine.runtime.planning.prospects import Prospect, prospects
from magi_engine.runtime.process.control import Command, ControlBox, JobCancelled
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.request.batch import FirstChunks
from magi_engine.runtime.request.references import check_reference
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.speed.report import Measuring, SpeedReport
from magi_engine.takes.store import TakeStore
from magi_engine.weights.layout import default_models_dir


class Engine:
    """Generates one video at a time and keeps the models for the next one.

    Args:
        models_dir: where downloaded models are; None: the usual place of this system.
        cache_dir: where things are kept that can be made again; None: the usual place.
        takes_dir: where the latents of videos are kept; None: the usual place.
    """

    def __init__(
        self,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        takes_dir: Path | None = None,
    ) -> None:
        self._takes = TakeStore(takes_dir or default_takes_dir())
        self._cache_dir = cache_dir or default_cache_dir()
        self._models = ModelCache(models_dir, self._cache_dir)
        self._ranks = Ranks(models_dir, self._cache_dir)
        self._first_chunks = FirstChunks()
        self._running = threading.Lock()
        self._looking = threading.Lock()
        """Held while the models in memory are looked at; a job begins after that."""
        self._box = ControlBox()
        self._facts: MachineFacts | None = None
        """As they were before the job that runs."""

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        """Generate a video while the returned generator is pulled.

        With ``preview`` there are ``PreviewReady`` events, at most eight a second.

        The last event is exactly one of Finished, Cancelled and Failed; errors come as Failed
        and are not raised. Closing the generator at any point frees what the job holds and
        keeps the video made so far.
        """
        # Commands count from this call on, not from the first pull.
        box = self._box = ControlBox()
        return self._generate(request, box, preview)

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something; from any thread, at any time."""
        self._box.send(command)

    def unload(self) -> None:
        """Free the models; the next generation loads them again."""
        with self._running, self._looking:
            self._models.clear()
            self._ranks.close()

    def machine(self) -> MachineFacts:
        """What this machine has to offer a job, in numbers; while one runs, before it began."""
        with self._looking:
            if self._facts is None or not self._running.locked():
                self._facts = self._look_around()
            return self._facts

    def plan(self, request: GenerationRequest) -> JobPlan:
        """How ``request`` is made here; from any thread, at any time.

        Raises:
            MagiError: it cannot work at all.
        """
        device = choose_device(request.device)
        facts = self.machine()
        if device.type == "cuda" and str(device) != facts.device:
            facts = self._look_around(str(device))
        folders = self._models.models_dir, self._cache_dir, self._takes.folder
        return plan(request, facts, *folders)

    def check(self, request: GenerationRequest) -> None:
        """Refuse what :meth:`generate` refuses before it loads anything; as :meth:`plan`.

        Raises:
            MagiError: what its last event would say.
        """
        request = request.as_wished()
        model_of(self.plan(request), self._models.models_dir)
        check_reference(request)

    def prospects(self) -> dict[str, Prospect]:
        """How each known model would run here, by its name; as :meth:`plan`."""
        return prospects(self.machine(), self._models.models_dir, self._cache_dir)

    def examine(self) -> list[Finding]:
        """Try out everything a generation may need; takes some seconds. Not while a job runs:
        trying out attention kernels switches the others off."""
        from magi_engine.runtime.doctor import examine

        return examine(self.machine(), self._models.models_dir, self._cache_dir)

    def measure(self, device: str = "auto") -> Iterator[Measuring | SpeedReport]:
        """How fast this machine is, found out while the returned generator is pulled: the last one
        is the report, unless it was cancelled. Frees the models; see :mod:`.speed.measure`.

        Raises:
            MagiError: it cannot be measured, or a video is being made.
        """
        box = self._box = ControlBox()
        return self._measure(device, box)

    def _measure(self, device: str, box: ControlBox) -> Iterator[Measuring | SpeedReport]:
        from magi_engine.runtime.speed.measure import measure

        if not self._running.acquire(blocking=False):
            raise refused().error
        try:
            with self._looking:
                self._facts = self._look_around()
                self._models.clear()
            with contextlib.suppress(JobCancelled):
                yield (yield from measure(box, device, self._cache_dir))
        finally:
            self._running.release()

    def _look_around(self, device: str = "auto") -> MachineFacts:
        vram, ram = self._models.held_bytes()
        held = self._models.held_model()
        if held is not None and held.device != str(choose_device(device)):
            vram = 0
        folder = self._models.models_dir or default_models_dir()
        return dataclasses.replace(look_around(folder, vram, ram, device), held=held)

    def _generate(
        self, request: GenerationRequest, box: ControlBox, preview: bool
    ) -> Iterator[Event]:
        if not self._running.acquire(blocking=False):
            yield refused()
            return
        try:
            with self._looking:
                self._facts = self._look_around()
            # What an earlier video was made with says nothing of this one.
            request = request.as_wished()
            try:
                plan = self.plan(request)
                parts = self._models, self._ranks, plan, box
                folders = self._cache_dir, self._takes
                job = Job(*parts, *folders, self._first_chunks, preview)
            except Exception as error:
                yield Failed(told_error(error), path=None, frames=0)
                return
            yield from job.events()
        finally:
            self._running.release()
