"""How long a generation takes: what comes before the first step, and its schedule.

Needs no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.runtime.machine.facts import HeldModel, MachineFacts
from magi_engine.runtime.machine.speeds import Speed
from magi_engine.runtime.planning.costs import Counted, DitCosts
from magi_engine.weights.layout import FoundModel
from magi_engine.weights.provenance import EMBEDDINGS, embedding_name


@dataclass(frozen=True)
class Times:
    """What a generation spends its time with, in seconds."""

    text_s: float
    """Loading the text encoder and encoding the prompts that are not known yet."""
    load_s: float
    """Loading the transformer and the autoencoder, if they are not in memory."""
    warm_up_s: float
    """What the first steps after loading take longer than later ones."""
    denoise_s: float
    """All steps; of a video without an end, of its first chunks."""
    decode_s: float
    """What decoding and writing take beyond that."""

    @property
    def all_s(self) -> float:
        """Everything."""
        return self.before_s + self.denoise_s + self.decode_s

    @property
    def before_s(self) -> float:
        """What does not depend on the length of the video."""
        return self.text_s + self.load_s + self.warm_up_s


def ready_times(
    schedule: Iterable[Counted],
    costs: DitCosts,
    speed: Speed,
    decode_s: float,
    decodes_beside: bool,
) -> tuple[list[float], float]:
    """Seconds from the first step until each chunk can be seen, and what the steps take of that.

    Args:
        decode_s: of a chunk.
        decodes_beside: whether all but the first are decoded while the next ones are denoised.
    """
    denoised = now = 0.0
    ready: list[float] = []
    for forward in schedule:
        seconds = costs.of(forward) / speed.dit_flops_per_s
        denoised += seconds
        now += seconds
        if forward.finishes:
            ready.append(now + decode_s)
            # Beside the next steps it takes no time of its own; the first one always does.
            if len(ready) == 1 or not decodes_beside:
                now = ready[-1]
    return ready, denoised


def times_of(
    speed: Speed, held: HeldModel | None, unknown_prompts: int, denoise_s: float, decode_s: float
) -> Times:
    """What will be spent, without what ``held`` saves."""
    text_s = unknown_prompts * (speed.encode_s or 0.0)
    if unknown_prompts and not (held is not None and held.text_encoder):
        text_s += speed.text_load_s or 0.0
    loads = held is None or not held.networks
    return Times(
        text_s=text_s,
        load_s=(speed.load_s or 0.0) if loads else 0.0,
        warm_up_s=(speed.warm_up_s or 0.0) if loads else 0.0,
        denoise_s=denoise_s,
        decode_s=decode_s,
    )


def held_for(
    found: FoundModel | None, facts: MachineFacts, device: str, dtype: str
) -> HeldModel | None:
    """What the engine has in memory of the very model that is asked for."""
    held = facts.held
    if held is None or found is None or held.weights != found.files.transformer:
        return None
    same = held.device == device and held.dtype == dtype
    return held if same else None


def unknown_prompts(
    prompts: Iterable[str], found: FoundModel | None, config: MagiConfig, cache_dir: Path
) -> int:
    """How many of the prompts of a job have to be encoded."""
    texts = {text for text in prompts if clean_caption(text)}
    if found is None:
        return len(texts)
    encoder, longest = found.files.text_encoder, config.model_config.caption_max_length
    names = (embedding_name(encoder, text, longest) for text in texts)
    return sum(name is None or not (cache_dir / EMBEDDINGS / name).is_file() for name in names)
