"""What one training step is about: which clips, who sees whom, and what is to be answered.

Two kinds of lesson keep the base model: flow matching on clips, with and without captions. Two
more make it take guided steps of 1/64 to 1/8 of the schedule when it is given a step code: the
shortest steps copy the guided base model, every longer step copies two of half its length. Both
targets come from the moving average of the network itself (shortcut distillation, paper 2.3).
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

import torch
from torch import Tensor

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.training import pocket
from magi_engine.training.data import CHUNKS
from magi_engine.training.layouts import Layout, pipeline, streaming
from magi_engine.training.sequences import Batch, Sequence, draw_fractions, numbers_on, time_of

_SHORT_SHARE = (0.75, 0.35)
"""Share of the lessons about beginnings, at the start and at the end. What things look like is
learned where nothing but the caption tells, and in long clips that is only the first chunk. How
exactly a chunk goes on with the one before, nothing but long clips teach."""

_SHORTCUT_SHARE = (0.1, 0.65)
_GUIDED_SHARE = 0.3
_UNCONDITIONAL_SHARE = 0.12
_UNIFORM_TIME_SHARE = 0.25

_GUIDANCE_GOING_ON = 0.5
"""Share of the guidance for a chunk that sees others: it asks for what a caption makes likelier,
and so for a little more of it in each chunk than in the one before."""

_SHORTEST = 64
_STEPS, _STEP_SHARES = (32, 16, 8), (0.3, 0.5, 0.2)

BEGINNING = streaming(1, 1)
_STREAMS = [streaming(CHUNKS, kv_range) for kv_range in range(2, CHUNKS + 1)]
_OTHERS = [
    streaming(CHUNKS, 1),  # each chunk alone, as in the nearly clean copy
    *[pipeline(CHUNKS, clean, kv) for clean, kv in ((0, 5), (0, 3), (1, 4), (2, 2))],
]
_STREAMS_SHARE = 0.7


class Kind(enum.Enum):
    """What is learned."""

    FLOW = "flow"
    UNCONDITIONAL = "unconditional"
    GUIDED = "guided"
    HALVES = "halves"


@dataclass(frozen=True)
class Lesson:
    """A kind of step; few enough of them that each can be recorded as a CUDA graph."""

    kind: Kind
    layout: Layout


def draw_lesson(progress: float, dice: random.Random) -> Lesson:
    """A random lesson, ``progress`` (0..1) into the training: more and more shortcuts."""
    shortcut = dice.random() < _between(_SHORTCUT_SHARE, progress)
    unconditional = not shortcut and dice.random() < _UNCONDITIONAL_SHARE
    if dice.random() < _between(_SHORT_SHARE, progress):
        layout = BEGINNING
    elif unconditional or dice.random() < _STREAMS_SHARE:
        layout = dice.choice(_STREAMS)
    else:
        layout = dice.choice(_OTHERS)
    if shortcut:
        return Lesson(Kind.GUIDED if dice.random() < _GUIDED_SHARE else Kind.HALVES, layout)
    return Lesson(Kind.UNCONDITIONAL if unconditional else Kind.FLOW, layout)


class Teacher:
    """Sets the targets of every lesson.

    Args:
        student: the network that learns.
        average: its moving average.
        special_tokens: on the same device.
    """

    def __init__(self, student: VideoDiT, average: VideoDiT, special_tokens: SpecialTokens) -> None:
        self.student, self.average = student, average
        self.special_tokens = special_tokens
        runtime = pocket.BASE.runtime_config
        # On the device already: recording a CUDA graph forbids copies from the CPU.
        self._steps, self._until, self._starts, self._scales = (
            torch.tensor(numbers, dtype=torch.float32, device=student.device)
            for numbers in (
                _STEPS,
                [sum(_STEP_SHARES[: i + 1]) for i in range(len(_STEPS) - 1)],
                runtime.cfg_t_range,
                runtime.text_scales,
            )
        )

    def loss(self, lesson: Lesson, batch: Batch) -> Tensor:
        """The student's squared error in a lesson about a batch."""
        conditional = lesson.kind is not Kind.UNCONDITIONAL
        sequence = Sequence(self.student, batch, lesson.layout, conditional, self.special_tokens)
        size, device = len(batch.clean), batch.clean.device
        fractions = draw_fractions(lesson.layout, size, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            if lesson.kind in (Kind.FLOW, Kind.UNCONDITIONAL):
                # Some evenly spread times, which spend more on the nearly clean end.
                evenly = torch.rand(size, 1, device=device) < _UNIFORM_TIME_SHARE
                times, code = torch.where(evenly, fractions, time_of(fractions)), None
                noisy = sequence.noisy_latents(times)
                target = (batch.clean - batch.noise)[:, sequence.noisy_positions]
            else:
                guided = lesson.kind is Kind.GUIDED
                steps = self._draw_steps(size, _SHORTEST if guided else None)
                index = torch.minimum((fractions * steps).floor(), steps - 1)
                times, code = time_of(index / steps), _code(steps)
                noisy = sequence.noisy_latents(times)
                with torch.no_grad():
                    if guided:
                        target = self._guided(sequence, batch, noisy, times)
                    else:
                        target = self._two_halves(sequence, noisy, index, steps)
            velocity = sequence.velocity(self.student, noisy, times, code)
        return sequence.loss(velocity, target)

    def _draw_steps(self, size: int, steps: int | None) -> Tensor:
        """(N, 1): the given number of steps, or one at random for each clip."""
        if steps is not None:
            return torch.full((size, 1), float(steps), device=self._steps.device)
        dice = torch.rand(size, 1, device=self._steps.device)
        return self._steps[torch.bucketize(dice, self._until)]

    def _guided(self, sequence: Sequence, batch: Batch, noisy: Tensor, times: Tensor) -> Tensor:
        with_text = sequence.velocity(self.average, noisy, times, None).float()
        without = Sequence(self.average, batch, sequence.layout, False, self.special_tokens)
        without.share_clean(sequence)
        no_text = without.velocity(self.average, noisy, times, None).float()
        scale = self._scales[torch.bucketize(times, self._starts, right=True) - 1]
        shares = tuple(_GUIDANCE_GOING_ON if more else 1.0 for more in sequence.layout.goes_on)
        scale = 1 + (scale - 1) * numbers_on(times.device, shares)
        return no_text + _wide(scale) * (with_text - no_text)

    def _two_halves(
        self, sequence: Sequence, noisy: Tensor, index: Tensor, steps: Tensor
    ) -> Tensor:
        start, middle, end = (time_of((index + part) / steps) for part in (0, 0.5, 1))
        first, second = _wide(middle - start), _wide(end - middle)
        code = _code(2 * steps)
        v = sequence.velocity(self.average, noisy, start, code).float()
        halfway = sequence.paste(noisy + v * first)
        w = sequence.velocity(self.average, halfway, middle, code).float()
        return (v * first + w * second) / (first + second)


def _between(ends: tuple[float, float], progress: float) -> float:
    first, last = ends
    return first + (last - first) * progress


def _wide(x: Tensor) -> Tensor:
    return x[:, :, None, None, None, None]


def _code(steps: Tensor) -> Tensor:
    """(N,) step codes of the numbers of steps (N, 1)."""
    return steps[:, 0] / 2
