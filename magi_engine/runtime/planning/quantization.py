"""What quantising a model on this machine takes, before it is begun."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.places import default_cache_dir
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.config.vae import VaeConfig
from magi_engine.resources import resource_path
from magi_engine.runtime.machine.devices import ITEM_BYTES, job_dtype
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.machine.speeds import Speeds, attention_weight, guessed
from magi_engine.runtime.planning.costs import DitCosts, chunk_tokens, counted
from magi_engine.runtime.planning.footprint import DitWeights, vae_weight_bytes
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.weights.layout import entry_paths
from magi_engine.weights.provenance import WIDEST_COMPENSATED

CALIBRATION_CHUNKS = 2
"""Per caption: one without and one with history before it."""

_BASE_STEPS = range(12, 32)
_BASE_STEPS_OF = 64
_READ_BYTES_PER_S = 1e9
_ROUNDED_PER_S = {True: 4e6, False: 1e8}
"""Bytes of the result that a core of a processor makes, with and without compensation."""
_ROUNDED_PER_S_ON_CARD = 1.5e8
"""A guess."""


@dataclass(frozen=True)
class QuantizationEstimate:
    """What it takes.

    Attributes:
        disk_bytes: of the result.
        room_bytes: that has to be free until it is there.
        seconds: until it is there; rough.
    """

    disk_bytes: int
    room_bytes: int
    seconds: float


def calibration_config(config: MagiConfig) -> MagiConfig:
    """What a model is calibrated with: one chunk at a time, so that a step of the schedule is a
    step of the loop."""
    runtime = dataclasses.replace(config.runtime_config, window_size=1)
    return dataclasses.replace(config, runtime_config=runtime)


def measured_steps(config: MagiConfig) -> range:
    """The steps of a chunk in which inputs are measured (paper A.1): the middle of the schedule
    of a base model, all of the few of a distilled one."""
    steps = config.runtime_config.num_steps
    if config.engine_config.distill:
        return range(steps)
    first, end = (step * steps // _BASE_STEPS_OF for step in (_BASE_STEPS.start, _BASE_STEPS.stop))
    return range(first, end)


def estimate_quantization(
    entry: ModelEntry,
    facts: MachineFacts,
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> QuantizationEstimate:
    """Of a model that is made here; takes milliseconds."""
    assert entry.made_from is not None
    source = Registry.load().find(entry.made_from)
    config = calibration_config(MagiConfig.from_json(resource_path(source.config)))
    path = entry_paths(source, models_dir).autoencoder / "config.json"
    vae = VaeConfig.from_json(path) if path.is_file() else VaeConfig()
    dtype = job_dtype("auto", facts.device, facts.bfloat16_on_processor)
    weights = DitWeights.of(config.model_config, False, ITEM_BYTES[dtype]).total
    tokens = chunk_tokens(config, vae)
    guess = guessed(
        facts,
        facts.device,
        dtype,
        fp8=False,
        weight_bytes=weights + vae_weight_bytes(vae, ITEM_BYTES[dtype]),
        text_bytes=0,
    )
    speeds = Speeds.load(cache_dir or default_cache_dir())
    speed, _ = speeds.expected(source.name, facts, facts.device, dtype, tokens, guess)
    on_card = facts.device.startswith("cuda")
    flops = _calibration_flops(config, attention_weight(facts.device, False), tokens)
    captions = len(resource_path(entry.captions or "").read_text(encoding="utf-8").splitlines())
    calibrating = captions * flops / speed.dit_flops_per_s
    made = _made_bytes(config.model_config)
    reading = weights / _READ_BYTES_PER_S
    compensated = config.model_config.hidden_size <= WIDEST_COMPENSATED
    on_processor = facts.cores * _ROUNDED_PER_S[compensated]
    rounding = made / (_ROUNDED_PER_S_ON_CARD if on_card else on_processor)
    seconds = (speed.load_s or 0.0) + reading + calibrating + rounding
    return QuantizationEstimate(made, room_bytes(config.model_config), seconds)


def room_bytes(model: ModelConfig) -> int:
    """What has to be free on the disk to make a model: for the result, for what is measured, and
    for a new one of that beside the one before."""
    from magi_engine.weights.growing import MARGIN_BYTES
    from magi_engine.weights.quantize import inputs_bytes

    return _made_bytes(model) + 2 * inputs_bytes(model) + MARGIN_BYTES


def _made_bytes(model: ModelConfig) -> int:
    return DitWeights.of(model, True, ITEM_BYTES["bfloat16"]).total


def _calibration_flops(config: MagiConfig, weight: float, tokens: int) -> float:
    """Of one caption."""
    costs = DitCosts.of_model(config.model_config, tokens, weight)
    steps = config.runtime_config.num_steps
    count = (CALIBRATION_CHUNKS - 1) * steps + measured_steps(config).stop
    schedule = counted(SamplerSettings.from_config(config), CALIBRATION_CHUNKS, 0)
    return sum(map(costs.of, schedule[:count]))
