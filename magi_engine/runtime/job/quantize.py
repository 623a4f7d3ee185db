"""Making the fp8 form of a model on this machine: calibrate, quantise, write (paper A.1)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor

from magi_engine.config.registry import ModelEntry
from magi_engine.config.vae import VaeConfig
from magi_engine.disk import require_room, writing
from magi_engine.resources import resource_path
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory, free_bytes
from magi_engine.runtime.planning.placement import Sizes, place
from magi_engine.runtime.planning.quantization import (
    CALIBRATION_CHUNKS,
    calibration_config,
    measured_steps,
    room_bytes,
)
from magi_engine.runtime.request.request import DEFAULT_SPECIAL_TOKENS
from magi_engine.sampling.events import StepDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.weights.provenance import (
    FILE_NAME,
    RECIPE,
    Provenance,
    content_hash,
    finished,
    note_source,
)
from magi_engine.weights.quantize import (
    InputRecorder,
    Inputs,
    KeptInputs,
    fp8_linears,
    inputs_bytes,
    quantise_file,
    read_inputs,
    save_inputs,
)


class QuantizationStep(enum.Enum):
    """What quantising a model is at."""

    READING = "reading the weights"
    CALIBRATING = "calibrating"
    WRITING = "quantising and writing"


OnProgress = Callable[[QuantizationStep, float], None]
"""Told what is being done and how much of that, 0 to 1."""

_INPUTS_FILE = ".calibration.safetensors"
_RELEASED_CAPTIONS = "calibration/released.txt"


def calibration_captions(entry: ModelEntry) -> tuple[str, ...]:
    """The prompts with which a known model is made."""
    path = resource_path(entry.captions or _RELEASED_CAPTIONS)
    return tuple(path.read_text(encoding="utf-8").splitlines())


def quantize_model(
    model: LoadedModel,
    folder: Path,
    captions: Sequence[str],
    on_progress: OnProgress = lambda _what, _fraction: None,
) -> Path:
    """Calibrate ``model`` on ``captions`` and write its fp8 form into ``folder``.

    ``on_progress`` may wait or raise: what was measured and written is kept, and the next call
    goes on from there; measured is kept after each caption. The model is unloaded once it has
    been measured. If the same weights have been quantised into ``folder`` before, that is all.

    The weights that are quantised are those of the file, not the copy in memory, which may have
    another number format.

    Returns:
        The file written.

    Raises:
        ModelNotFoundError, WeightsError: the model's files are missing or damaged.
        DiskFullError, OutputError: it cannot be written.
    """
    source = model.found.files.transformer
    read = partial(on_progress, QuantizationStep.READING)
    origin = Provenance(RECIPE, finished(content_hash(source), read))
    if Provenance.read(folder) != origin:
        _make(model, folder, captions, origin, on_progress)
    with writing(folder):
        note_source(folder, source)
    return folder / FILE_NAME


def _make(
    model: LoadedModel,
    folder: Path,
    captions: Sequence[str],
    origin: Provenance,
    on_progress: OnProgress,
) -> None:
    config = model.found.config.model_config
    kept = folder / _INPUTS_FILE
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    require_room(folder, room_bytes(config), 0)
    key = hashlib.sha256("\0".join((str(origin), *captions)).encode()).hexdigest()
    before = read_inputs(kept, key, mapped=False)
    done = before.captions
    if done < len(captions):
        for inputs in calibrate(model, captions, on_progress, before):
            done += 1
            save_inputs(kept, inputs, done, key)
    model.unload()
    before.inputs.clear()
    # From the file, tensor by tensor: all of them would be gigabytes.
    inputs = read_inputs(kept, key, mapped=True).inputs
    device = model.device if model.device.type == "cuda" else torch.device("cpu")
    source = model.found.files.transformer
    for fraction in quantise_file(source, config, inputs, folder, origin, device):
        on_progress(QuantizationStep.WRITING, fraction)
    del inputs  # a mapped file cannot be deleted everywhere
    with writing(folder):
        kept.unlink(missing_ok=True)


def calibrate(
    model: LoadedModel,
    captions: Sequence[str],
    on_progress: OnProgress = lambda _what, _fraction: None,
    before: KeptInputs | None = None,
) -> Iterator[Mapping[str, Inputs]]:
    """Measure the inputs of every linear layer to be quantised, while it generates.

    A base model is measured in the middle of its schedule, steps 12-32 of 64; a distilled one in
    all of its few steps.

    Args:
        before: what was measured of the first captions; it is added to.

    Yields:
        After each caption, what was measured of all so far.
    """
    before = before or KeptInputs({}, 0)
    done = before.captions
    config = calibration_config(model.found.config)
    settings = SamplerSettings.from_config(config)
    measured = measured_steps(config)
    # All prompts first: a large text encoder leaves before the transformer comes.
    embeddings = [model.text.encode(caption).embedding for caption in captions[done:]]
    model.text.release_if_large()
    memory = _plan_memory(model)
    memory.run(model.load_dit)
    # After the last measured step of its last chunk nothing is left to be heard of a caption.
    steps_each = (CALIBRATION_CHUNKS - 1) * settings.num_steps + measured.stop
    linears = fp8_linears(config.model_config)
    with InputRecorder(model.dit, linears, before.inputs) as recorder:
        for index, embedding in enumerate(embeddings, done):
            steps = _steps(model, settings, embedding, memory, seed=index)
            for step in range(steps_each):
                recorder.recording = step % settings.num_steps in measured
                next(steps)
                fraction = (index * steps_each + step + 1) / (len(captions) * steps_each)
                on_progress(QuantizationStep.CALIBRATING, fraction)
            yield recorder.inputs


def _plan_memory(model: LoadedModel) -> PlannedMemory:
    """Ways in which generating fits beside what is measured."""
    config = calibration_config(model.found.config)
    vae = VaeConfig.from_json(model.found.files.autoencoder / "config.json")
    on_card = model.device.type == "cuda"
    sizes = Sizes.of(
        config,
        vae,
        CALIBRATION_CHUNKS,
        0,
        model.dtype.itemsize,
        on_card,
    )
    free = None
    if on_card:
        free = free_bytes(model.device) - inputs_bytes(config.model_config)
    ways = place(sizes, free, psutil.virtual_memory().available)
    return PlannedMemory(model, ways)


def _steps(
    model: LoadedModel,
    settings: SamplerSettings,
    caption: Tensor,
    memory: PlannedMemory,
    seed: int,
) -> Iterator[StepDone]:
    runtime = model.found.config.runtime_config
    pixels = VaeConfig.from_json(model.found.files.autoencoder / "config.json").patch_size
    events = Sampler(model.dit, settings, memory=memory).sample(
        height=runtime.video_size_h // pixels,
        width=runtime.video_size_w // pixels,
        captions=model.caption_track(caption, DEFAULT_SPECIAL_TOKENS),
        noise=SeededNoise(seed),
        num_chunks=CALIBRATION_CHUNKS,
    )
    return (event for event in events if isinstance(event, StepDone))
