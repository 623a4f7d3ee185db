"""Making the fp8 form of a model on this machine: calibrate, quantise, write (paper A.1)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.models import LoadedModel
from magi_engine.runtime.request import DEFAULT_SPECIAL_TOKENS
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler, SamplerSettings, StepDone
from magi_engine.weights.layout import FoundModel, entry_paths, weights_folder_name
from magi_engine.weights.provenance import FILE_NAME, Provenance
from magi_engine.weights.quantize import (
    InputRecorder,
    Inputs,
    fp8_linears,
    quantise_file,
    read_inputs,
    save_inputs,
)

CAPTIONS = (
    "A large red circle moves to the right on a white background.",
    "A small blue star spins in place on a black background.",
    "A green square bounces off the walls on a beige background.",
    "A yellow triangle goes up while a purple heart moves down on a grey background.",
    "An orange circle grows on a dark blue background.",
    "A white square circles around the middle; a red triangle stands still.",
)
"""Prompts to calibrate with when none are given: the pocket model's world."""

CALIBRATION_CHUNKS = 2
"""Per caption: one without and one with history before it."""

_BASE_STEPS = range(12, 32)
_BASE_STEPS_OF = 64

OnProgress = Callable[[float], None]
"""Told how much is done, 0 to 1."""

CALIBRATION_SHARE = 0.8
"""Of what is told as progress; the rest is writing."""
_INPUTS_FILE = ".calibration.safetensors"


def target_folder(found: FoundModel, models_dir: Path | None, output: Path | None) -> Path:
    """Where the quantised weights of a model go: named as the release names such folders.

    Args:
        found: the model to quantise.
        models_dir: the folder of models; None: the usual one.
        output: the folder to put that folder into; None: where the registry expects the model
            that is made from this one.

    Raises:
        InvalidRequestError: the model is quantised already, or it is not known where its fp8
            form belongs.
    """
    engine = found.config.engine_config
    if engine.fp8_quant:
        raise InvalidRequestError(
            f"{found.title} is in fp8 already.", "Choose the model it was made from."
        )
    if output is not None:
        return output / weights_folder_name(dataclasses.replace(engine, fp8_quant=True))
    made = made_from(found)
    if made is None:
        raise InvalidRequestError(
            f"It is not known where the fp8 form of {found.title} belongs.",
            "Give a folder with -o.",
        )
    return entry_paths(made, models_dir).transformer


def made_from(found: FoundModel) -> ModelEntry | None:
    """The known model that is made by quantising this one."""
    if found.entry is None:
        return None
    entries = Registry.load().entries
    return next((entry for entry in entries if entry.made_from == found.name), None)


def quantize_model(
    model: LoadedModel,
    folder: Path,
    captions: Sequence[str],
    on_progress: OnProgress = lambda _fraction: None,
) -> Path:
    """Calibrate ``model`` on ``captions`` and write its fp8 form into ``folder``.

    ``on_progress`` may wait or raise: what was measured and written is kept, and the next call
    goes on from there. The model is unloaded once it has been measured.

    The weights that are quantised are those of the file, not the copy in memory, which may have
    another number format.

    Returns:
        The file written.

    Raises:
        ModelNotFoundError, WeightsError: the model's files are missing or damaged.
        DiskFullError, OutputError: it cannot be written.
    """
    source = model.found.files.transformer
    config = model.found.config.model_config
    origin = Provenance.of_source(source)
    kept = folder / _INPUTS_FILE
    key = hashlib.sha256("\0".join((str(origin), *captions)).encode()).hexdigest()
    inputs = read_inputs(kept, key)
    if inputs is None:
        inputs = calibrate(model, captions, lambda f: on_progress(f * CALIBRATION_SHARE))
        save_inputs(kept, inputs, key)
    model.unload()
    for fraction in quantise_file(source, config, inputs, folder, origin):
        on_progress(CALIBRATION_SHARE + (1 - CALIBRATION_SHARE) * fraction)
    kept.unlink(missing_ok=True)
    return folder / FILE_NAME


def calibrate(
    model: LoadedModel, captions: Sequence[str], on_progress: OnProgress = lambda _fraction: None
) -> dict[str, Inputs]:
    """Measure the inputs of every linear layer to be quantised, while it generates.

    A base model is measured in the middle of its schedule, steps 12-32 of 64; a distilled one in
    all of its few steps.
    """
    config = model.found.config
    settings = SamplerSettings.from_config(config)
    # One chunk at a time, so that a step of the schedule is a step of the loop.
    settings = dataclasses.replace(settings, window_size=1)
    measured = measured_steps(settings)
    # All prompts first: a large text encoder leaves before the transformer comes.
    embeddings = [model.text.encode(caption).embedding for caption in captions]
    model.text.release_if_large()
    steps_each = CALIBRATION_CHUNKS * settings.num_steps
    with InputRecorder(model.dit, fp8_linears(config.model_config)) as recorder:
        for index, embedding in enumerate(embeddings):
            steps = _steps(model, settings, embedding, seed=index)
            for step in range(steps_each):
                recorder.recording = step % settings.num_steps in measured
                next(steps)
                on_progress((index * steps_each + step + 1) / (len(embeddings) * steps_each))
    return recorder.inputs


def measured_steps(settings: SamplerSettings) -> range:
    """The steps of a chunk in which inputs are measured, see :func:`calibrate`."""
    steps = settings.num_steps
    if settings.distill:
        return range(steps)
    first, end = (step * steps // _BASE_STEPS_OF for step in (_BASE_STEPS.start, _BASE_STEPS.stop))
    return range(first, end)


def _steps(
    model: LoadedModel, settings: SamplerSettings, caption: Tensor, seed: int
) -> Iterator[StepDone]:
    runtime = model.found.config.runtime_config
    pixels = VaeConfig.from_json(model.found.files.autoencoder / "config.json").patch_size
    events = Sampler(model.dit, settings).sample(
        height=runtime.video_size_h // pixels,
        width=runtime.video_size_w // pixels,
        captions=model.caption_track(caption, DEFAULT_SPECIAL_TOKENS),
        noise=SeededNoise(seed),
        num_chunks=CALIBRATION_CHUNKS,
    )
    return (event for event in events if isinstance(event, StepDone))
