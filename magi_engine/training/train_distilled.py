"""Stage 3: shortcut distillation with the guidance distilled in.

``python -m magi_engine.training.train_distilled --out runs/pocket --minutes 9``

One network becomes both variants. Without a step code it stays the base model, and flow matching
on clips goes on; with a step code it takes guided steps of 1/64, 1/32, 1/16 or 1/8 of the
schedule. The shortest steps copy the guided base model, every longer step copies two of half its
length; both targets come from the moving average of the network itself. The share of distillation
rises along the stage. Sharing the weights halves what has to be shipped.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.sampling.guidance import GuidanceScales
from magi_engine.training import pocket
from magi_engine.training.loop import (
    Average,
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    save_checkpoint,
)
from magi_engine.training.sequences import (
    Batch,
    Sequence,
    draw_batch,
    draw_fractions,
    draw_layout,
    time_of,
)
from magi_engine.training.tokenizer import make_t5_for
from magi_engine.training.train_base import (
    add_arguments,
    autocast,
    compile_blocks,
    draw_length,
    load_clips,
    set_up_device,
)

_STEPS = (64, 32, 16, 8)
_STEP_WEIGHTS = torch.tensor([0.3, 0.2, 0.35, 0.15])
_BASE_SHARE = (0.5, 0.3)
"""Share of plain flow matching at the start and at the end of the stage."""

_BASE_UNCONDITIONAL_SHARE = 0.12


class Distiller:
    """Targets of every kind of step.

    Args:
        student: the network that learns.
        average: its moving average, which sets the targets.
    """

    def __init__(self, student: VideoDiT, average: VideoDiT, special_tokens: SpecialTokens) -> None:
        self.student, self.average = student, average
        self.special_tokens = special_tokens
        runtime = pocket.BASE.runtime_config
        self.scales = GuidanceScales(
            runtime.cfg_t_range, runtime.prev_chunk_scales, runtime.text_scales
        )

    def base_loss(self, batch: Batch) -> Tensor:
        """Flow matching without a step code, which keeps the base variant alive."""
        conditional = float(torch.rand(())) >= _BASE_UNCONDITIONAL_SHARE
        layout = draw_layout(batch.clean.shape[1])
        sequence = Sequence(self.student, batch, layout, conditional, self.special_tokens)
        device = batch.clean.device
        times = time_of(draw_fractions(layout, len(batch.clean), device))
        with autocast(device):
            velocity = sequence.velocity(self.student, sequence.noisy_latents(times), times, None)
        return sequence.loss(velocity, (batch.clean - batch.noise)[:, sequence.noisy_positions])

    def shortcut_loss(self, batch: Batch, num_steps: int) -> Tensor:
        """One step of ``1 / num_steps`` against what it should amount to."""
        device, layout = batch.clean.device, draw_layout(batch.clean.shape[1])
        sequence = Sequence(self.student, batch, layout, True, self.special_tokens)
        fractions = draw_fractions(layout, len(batch.clean), device)
        index = (fractions * num_steps).floor().clamp(max=num_steps - 1)
        start = time_of(index / num_steps)
        middle = time_of((index + 0.5) / num_steps)
        end = time_of((index + 1) / num_steps)
        noisy = sequence.noisy_latents(start)
        with torch.no_grad(), autocast(device):
            if num_steps == _STEPS[0]:
                target = self._guided(sequence, batch, noisy, start)
            else:
                target = self._two_steps(sequence, noisy, (start, middle, end), 2 * num_steps)
        with autocast(device):
            velocity = sequence.velocity(self.student, noisy, start, _code(num_steps, device))
        return sequence.loss(velocity, target)

    def _guided(self, sequence: Sequence, batch: Batch, noisy: Tensor, times: Tensor) -> Tensor:
        with_text = sequence.velocity(self.average, noisy, times, None).float()
        without = Sequence(self.average, batch, sequence.layout, False, self.special_tokens)
        without.share_clean(sequence)
        no_text = without.velocity(self.average, noisy, times, None).float()
        _, text_scale = self.scales.at(times)
        return no_text + text_scale[:, :, None, None, None, None] * (with_text - no_text)

    def _two_steps(
        self, sequence: Sequence, noisy: Tensor, times: tuple[Tensor, Tensor, Tensor], steps: int
    ) -> Tensor:
        start, middle, end = times
        code = _code(steps, noisy.device)
        first, second = (_wide(t) for t in (middle - start, end - middle))
        v = sequence.velocity(self.average, noisy, start, code).float()
        halfway = sequence.paste(noisy + v * first)
        w = sequence.velocity(self.average, halfway, middle, code).float()
        return (v * first + w * second) / (first + second)


def _wide(x: Tensor) -> Tensor:
    return x[:, :, None, None, None, None]


def _code(num_steps: int, device: torch.device) -> Tensor:
    return torch.tensor(num_steps / 4 * 2, device=device)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    args = parser.parse_args(argv)
    device = set_up_device(args.seed)

    clips = load_clips(args, device)
    t5 = make_t5_for(args.t5, pocket.CAPTION_CHANNELS)
    nn.Module.to(t5, device)
    student = VideoDiT(pocket.MODEL).to(device)
    load_checkpoint(args.out / "base.safetensors", dit=student, t5=t5)
    average = Average(student, decay=0.999)
    t5_average = Average(t5, decay=0.999)
    if device.type == "cuda" and not args.no_compile:
        for model in (student, average.module):
            compile_blocks(model)
    special_tokens = SpecialTokens.load(args.t5.parent / pocket.SPECIAL_TOKENS_FILE)
    distiller = Distiller(student, average.module, special_tokens)
    optimiser = Optimiser([student, t5], args.rate, weight_decay=0.02)
    log = Log(args.out / "distilled.jsonl", every=250)

    def save() -> None:
        save_checkpoint(
            args.out / "distilled.safetensors", dit=average.module, t5=t5_average.module
        )

    pace = Pace(args.minutes, args.max_steps, save, warmup_steps=60, cooldown=0.4)
    for step in pace:
        chunks, size = draw_length(pace.progress, args.batch)
        batch = draw_batch(clips, t5, size, chunks)
        first, last = _BASE_SHARE
        if float(torch.rand(())) < first + (last - first) * pace.progress:
            loss, name = distiller.base_loss(batch), "base"
        else:
            steps = _STEPS[int(torch.multinomial(_STEP_WEIGHTS, 1))]
            loss, name = distiller.shortcut_loss(batch, steps), f"steps_{steps}"
        optimiser.step(loss, pace.rate)
        average.update(step)
        t5_average.update(step)
        log.add(pace, **{name: loss})
    log.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
