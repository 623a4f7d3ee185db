"""How far the pocket model in fp8, made as the program makes it, lies from the one in bf16.

``python -m tests.bench.fp8_quality`` quantises with all its captions and compares the latents of
one chunk for prompts it was not calibrated with, on the CPU. Some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from magi_engine.config.registry import Registry
from magi_engine.runtime.job.quantize import calibration_captions, quantize_model
from magi_engine.runtime.machine.devices import choose_dtype
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.request.request import DEFAULT_SPECIAL_TOKENS
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training.captions import PromptKind, evaluation_prompts
from magi_engine.weights.layout import entry_paths, find_model

_SIDE = 16
"""Latents along each side of the picture."""
_PAIRS = 4
"""One prompt in so many is of two objects."""


def main() -> None:
    """Print the distances, and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--chunks", type=int, default=1)
    args = parser.parse_args()
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        source, entry = find_model("pocket"), Registry.load().find("pocket-fp8")
        begun = time.monotonic()
        quantize_model(
            LoadedModel(source, device, choose_dtype("auto", device)),
            entry_paths(entry, models).transformer,
            calibration_captions(entry),
        )
        print(f"made in {time.monotonic() - begun:.0f} s", flush=True)
        made = find_model(entry.name, models)
        exact, quantised = (LoadedModel(f, device, torch.bfloat16) for f in (source, made))
        pairs = args.prompts // _PAIRS
        prompts = [
            *evaluation_prompts(args.prompts - pairs, 0),
            *evaluation_prompts(pairs, 0, PromptKind.PAIR),
        ]
        distances = []
        for seed, prompt in enumerate(prompts):
            expected, found = (
                latents(model, prompt.text, seed, args.chunks) for model in (exact, quantised)
            )
            distances.append(((found - expected).norm() / expected.norm()).item())
            print(f"{100 * distances[-1]:5.2f} %  {prompt.text}", flush=True)
    print(
        f"{len(distances)} prompts: mean {100 * statistics.mean(distances):.2f} %, "
        f"standard deviation {100 * statistics.stdev(distances):.2f} %, "
        f"median {100 * statistics.median(distances):.2f} %, "
        f"from {100 * min(distances):.2f} to {100 * max(distances):.2f} %"
    )


def latents(model: LoadedModel, prompt: str, seed: int, chunks: int) -> torch.Tensor:
    """Of a video, (chunks, 16, T, h, w)."""
    events = Sampler(model.dit, SamplerSettings.from_config(model.found.config)).sample(
        height=_SIDE,
        width=_SIDE,
        captions=model.caption_track(model.text.encode(prompt).embedding, DEFAULT_SPECIAL_TOKENS),
        noise=SeededNoise(seed),
        num_chunks=chunks,
    )
    return torch.cat([event.latents for event in events if isinstance(event, ChunkDone)])


if __name__ == "__main__":
    main()
