"""Run trials one after the other, here or in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue

import torch

from magi_engine.errors import MagiError
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training.analysis import ClipAnalyser
from magi_engine.training.filming import Camera
from magi_engine.training.report import Result
from magi_engine.training.sheets import Strip, make_strip
from magi_engine.training.trials import Row, TrialMaker
from magi_engine.weights.layout import FoundModel


@dataclass(frozen=True)
class Studio:
    """Everything a process needs to run trials.

    Attributes:
        seed: of the trials.
        sheet_trials: the first so many trials of each row come with a strip of frames.
    """

    found: FoundModel
    settings: SamplerSettings
    device: torch.device
    dtype: torch.dtype
    seed: int
    sheet_trials: int


@dataclass(frozen=True)
class Take:
    """One trial that was run."""

    result: Result
    strip: Strip | None


@dataclass(frozen=True)
class _Job:
    row: Row
    index: int


class _Worker:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._camera = Camera(studio.found, studio.settings, studio.device, studio.dtype)
        self._maker = TrialMaker(studio.seed, studio.found.config.runtime_config.video_size_h)
        self._analyser = ClipAnalyser()

    def run(self, job: _Job) -> Take:
        trial = self._maker.make(job.row, job.index)
        frames = self._camera.film(trial.task)
        outcome = trial.judge(frames, self._analyser)
        wanted = job.index < self._studio.sheet_trials
        return Take(
            Result(
                job.row.value,
                job.index,
                self._studio.seed,
                trial.task.prompt,
                trial.task.next_prompt,
                outcome.values,
                outcome.found,
            ),
            make_strip(trial.task, frames, outcome.found) if wanted else None,
        )


def run_trials(studio: Studio, rows: Sequence[Row], prompts: int, jobs: int) -> Generator[Take]:
    """Run ``prompts`` trials of each row, row by row in turn, and yield them as they finish.

    Closing the iterator ends the processes.

    Args:
        jobs: processes; 1 means this one.

    Raises:
        MagiError: the model cannot be loaded or run.
    """
    plan = [_Job(row, index) for index in range(prompts) for row in rows]
    if jobs == 1:
        worker = _Worker(studio)
        yield from map(worker.run, plan)
    else:
        yield from _in_processes(studio, plan, jobs)


def _in_processes(studio: Studio, plan: Sequence[_Job], jobs: int) -> Generator[Take]:
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    tasks: Queue[_Job | None] = context.Queue()
    takes: Queue[Take | MagiError] = context.Queue()
    for job in [*plan, *[None] * jobs]:
        tasks.put(job)
    # As many threads as the cores allow; the matrices are too small for more to help.
    threads = max(1, torch.get_num_threads() // jobs)
    processes = [
        context.Process(target=_work, args=(studio, tasks, takes, threads), daemon=True)
        for _ in range(jobs)
    ]
    try:
        for process in processes:
            process.start()
        for _ in plan:
            take = _next_take(takes, processes)
            if isinstance(take, MagiError):
                raise take
            yield take
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
                process.join()


def _next_take(
    takes: Queue[Take | MagiError], processes: Sequence[BaseProcess]
) -> Take | MagiError:
    while True:
        try:
            return takes.get(timeout=1.0)
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in processes):
                raise MagiError(
                    "A process of the evaluation has died.", "Try again with fewer --jobs."
                ) from None


def _work(
    studio: Studio,
    tasks: Queue[_Job | None],
    takes: Queue[Take | MagiError],
    threads: int,
) -> None:
    """What a process does until there is nothing left to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        worker = _Worker(studio)
        while (job := tasks.get()) is not None:
            takes.put(worker.run(job))
    except MagiError as error:
        takes.put(error)


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes, which would work on for nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
