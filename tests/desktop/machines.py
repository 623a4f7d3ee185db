"""Engines of machines that a test describes: what they plan is real, and nothing is started."""

from __future__ import annotations

from pathlib import Path

from magi_desktop.engine_thread import EngineThread
from magi_desktop.state.machine import MachineState
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import Planned
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.plan import JobPlan, plan
from magi_engine.runtime.planning.prospects import Prospect, prospects
from magi_engine.runtime.request.request import GenerationRequest

FACTS = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA GeForce RTX 4090",
    processor="AMD Ryzen 9",
    cores=16,
    vram_total_bytes=24_000_000_000,
    vram_free_bytes=22_100_000_000,
    ram_total_bytes=64_000_000_000,
    ram_free_bytes=20_100_000_000,
    disk_free_bytes=60_000_000_000,
    fp8_in_hardware=True,
)


class EngineOn(EngineProcess):
    """Answers for a machine, in this process."""

    def __init__(self, facts: MachineFacts = FACTS, models_dir: Path | None = None) -> None:
        super().__init__(models_dir)
        self.facts, self.models_dir = facts, models_dir

    def machine(self) -> MachineFacts:
        return self.facts

    def plan(self, request: GenerationRequest) -> JobPlan:
        return plan(request, self.facts, self.models_dir)

    def prospects(self) -> dict[str, Prospect]:
        return prospects(self.facts, self.models_dir)


def machine(
    outcome: MachineFacts | Exception | None = FACTS,
    models_dir: Path | None = None,
    host: str = "",
) -> MachineState:
    """What a look at a machine brought; None: it is still under way."""
    engine = EngineThread(EngineOn(models_dir=models_dir))
    state = MachineState(engine, host=host)
    engine.setParent(state)
    if outcome is not None:
        look(state, outcome)
    return state


def look(state: MachineState, outcome: MachineFacts | Exception) -> None:
    """A later look brings something else."""
    engine = state._engine.engine
    assert isinstance(engine, EngineOn)
    if isinstance(outcome, MachineFacts):
        engine.facts = outcome
    state._engine.looked.emit(outcome)


def planned(request: GenerationRequest) -> Planned:
    """The first event of a job."""
    return Planned(plan(request, FACTS))
