"""What is to be expected of each known model on a machine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.errors import MagiError
from magi_engine.resources import resource_path
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.plan import JobPlan, plan
from magi_engine.runtime.planning.quantization import QuantizationEstimate, estimate_quantization
from magi_engine.runtime.request.request import GenerationRequest, Mode

_USUAL_S = 4


def plan_model(
    entry: ModelEntry,
    facts: MachineFacts,
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> JobPlan:
    """How a model runs on a machine: four seconds of video as it is usually made."""
    return plan(_usual_request(entry), facts, models_dir, cache_dir)


@dataclass(frozen=True)
class Prospect:
    """What is to be expected of a model on a machine.

    Attributes:
        plan: of its usual video, or what is wrong with its files.
        quantization: making it on that machine; None: that is not how one gets it.
    """

    plan: JobPlan | MagiError
    quantization: QuantizationEstimate | None = None


def prospects(
    facts: MachineFacts, models_dir: Path | None = None, cache_dir: Path | None = None
) -> dict[str, Prospect]:
    """Of every known model, by its name."""
    found: dict[str, Prospect] = {}
    for entry in Registry.load().entries:
        estimate = None
        with contextlib.suppress(MagiError):  # what it is made from is not here
            if entry.made_from is not None:
                estimate = estimate_quantization(entry, facts, models_dir, cache_dir)
        try:
            outcome: JobPlan | MagiError = plan_model(entry, facts, models_dir, cache_dir)
        except MagiError as error:
            outcome = error
        found[entry.name] = Prospect(outcome, estimate)
    return found


def _usual_request(entry: ModelEntry) -> GenerationRequest:
    runtime = MagiConfig.from_json(resource_path(entry.config)).runtime_config
    return GenerationRequest(
        mode=Mode.T2V,
        model=entry.name,
        width=runtime.video_size_w,
        height=runtime.video_size_h,
        num_frames=_USUAL_S * runtime.fps,
    )
