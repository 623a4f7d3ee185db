"""Sections 3 and 4 of the specification once more, written from the page alone and for reading.

Nothing is skipped, counted ahead or forgotten: every pass runs, keys and values of all chunks stay,
the whole video is one tensor. Of the engine it uses the transformer and the settings, which only
name things. The sampler has to give the same latents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.sampling.schedule import SamplerSettings, Transition
from magi_engine.training.caption_batches import CaptionBatch

INSERTED = (  # each goes in front of what is there
    SpecialToken.STATIC_FIRST_FRAMES,
    SpecialToken.DYNAMIC_FIRST_FRAMES,
    SpecialToken.BORDERNESS,
    SpecialToken.HQ,
    SpecialToken.THREE_D_MODEL,
    SpecialToken.TWO_D_ANIME,
    SpecialToken.DURATION,
)
NEGATIVE = (
    SpecialToken.CAPTION,
    SpecialToken.LOGO,
    SpecialToken.TRANS,
    SpecialToken.BORDERNESS,
)


def schedule(num_steps: int, mode: str) -> Tensor:
    """The times, "`t` schedule"."""
    x = torch.linspace(0, 1, num_steps + 1)
    if num_steps == 12:
        base = [0, 2 / 16, 3 / 16] if mode == "8,16,16" else [0, 1 / 16, 2 / 16]
        x = torch.tensor([start + quarter for quarter in (0, 0.25, 0.5, 0.75, 1) for start in base])
        x = x[:13]
    x = x**2
    return x / 3 / (1 + (1 / 3 - 1) * x)


def interval(num_steps: int, mode: str, index: int) -> float:
    """The relative length of the step ``index`` of a stage."""
    if num_steps % 3:
        return 1.0
    return ([2.0, 1.0, 1.0] if mode == "8,16,16" else [1.0, 1.0, 2.0])[index % 3]


def caption_of(
    prompt: Tensor, tokens: SpecialTokens, names: set[SpecialToken], left: int, most: int
) -> Tensor:
    """The caption of a chunk that ``left`` others follow, "Captions per chunk"."""
    for name in INSERTED:
        if name in names:
            is_duration = name is SpecialToken.DURATION
            vector = tokens.durations[min(left, 7)] if is_duration else tokens.vectors[name]
            prompt = torch.cat([vector[None], prompt])[:most]
    return prompt


def null_caption_of(model: VideoDiT, tokens: SpecialTokens, negative: bool) -> Tensor:
    """The first 50 positions of the null caption, with NEG_PROMPT=1 or without."""
    null = model.y_embedder.null_caption_embedding
    for name in NEGATIVE if negative else ():
        null = torch.cat([tokens.vectors[name][None], null])
    return null[:50]


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(1, S, heads, D) to (1, K, groups, D); consecutive heads share a group."""
    k, v = (x.repeat_interleave(q.shape[2] // x.shape[2], dim=2) for x in (k, v))
    scores = torch.einsum("nqhd,nkhd->nhqk", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("nhqk,nkhd->nqhd", scores.softmax(-1), v)


@dataclass
class PlainVideo:
    """One video.

    Args:
        captions: per chunk, (L, C), or None for "no prompt".
        null: the null caption, (50, C).
        noise: (1, 16, all frames, h, w).
        prefix: (1, 16, P, h, w); P = 0: none.
        transitions: of chunks, GO_ON where there is none.
    """

    model: VideoDiT
    settings: SamplerSettings
    captions: list[Tensor | None]
    null: Tensor
    noise: Tensor
    prefix: Tensor
    transitions: dict[int, Transition] = field(default_factory=dict)
    cache: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)
    """(layer, chunk) -> the keys and values it had last."""

    @torch.inference_mode()
    def chunks(self) -> dict[int, Tensor]:
        """The emitted latents."""
        s = self.settings
        width, count = s.chunk_width, len(self.captions)
        times = schedule(s.num_steps, s.shortcut_mode)
        length = s.num_steps // s.window_size
        given = self.prefix.shape[2]
        offset = given // width
        x = self.noise.clone()
        emitted = {}
        if offset:
            self.read_prefix(offset)
        for stage in range(offset, count + s.window_size - 1):
            window = range(max(offset, stage - s.window_size + 1), min(count, stage + 1))
            for index in range(length):
                x[:, :, :given] = self.prefix
                steps = [(stage - chunk) * length + index for chunk in window]
                clean = index == 0 and window[0] > offset
                velocity = self.velocity(x, list(window), steps, times, clean, index)
                for chunk, step, v in zip(window, steps, velocity, strict=True):
                    x[:, :, chunk * width :][:, :, :width] += v * (times[step + 1] - times[step])
            if stage - window[0] == s.window_size - 1:
                skip = 0 if given == 1 else max(0, given - window[0] * width)
                emitted[window[0]] = x[:, :, window[0] * width :][:, :, skip:width].clone()
        return emitted

    def read_prefix(self, offset: int) -> None:
        """Whole clean chunks, all in one forward, to fill the cache."""
        chunks = list(range(offset))
        last = self.settings.noise2clean_kvrange[-1:] or (8,)
        back = self.settings.clean_chunk_kvrange
        back = last[0] if back == -1 else back
        self.forward(
            self.prefix,
            chunks,
            [self.settings.clean_t] * offset,
            [None] * offset,
            [self.within_scene(chunk, back) for chunk in chunks],
            self.settings.cfg_number == 3,
            0,
        )

    def within_scene(self, chunk: int, back: int) -> int:
        """The first of ``back`` chunks up to this one, none before the last cut."""
        first = max(0, chunk + 1 - back)
        for earlier in range(first, chunk + 1):
            if self.transitions.get(earlier) is Transition.CUT:
                first = earlier
        return first

    def velocity(
        self,
        x: Tensor,
        chunks: list[int],
        steps: list[int],
        times: Tensor,
        clean: bool,
        index: int,
    ) -> list[Tensor]:
        """Of the window's chunks; with ``clean``, the one before is read again in front of them."""
        s = self.settings
        t = times[steps].tolist()
        captions = [self.captions[chunk] for chunk in chunks]
        ranges = s.noise2clean_kvrange
        back = [ranges[step * len(ranges) // s.num_steps] if ranges else 10**6 for step in steps]
        if clean:
            chunks, t, captions = [chunks[0] - 1, *chunks], [s.clean_t, *t], [None, *captions]
            of_clean = s.clean_chunk_kvrange
            if ranges and of_clean == -1:
                of_clean = ranges[-1]
            back = [of_clean if ranges else 10**6, *back]
        for place, (chunk, step) in enumerate(zip(chunks[clean:], steps, strict=True), clean):
            # "Same one, new place" is alone until its last quarter of steps, "same place, new one"
            # in its second half.
            match self.transitions.get(chunk):
                case Transition.NEW_PLACE if 4 * step < 3 * s.num_steps:
                    back[place] = 1
                case Transition.NEW_ONE if 2 * step >= s.num_steps:
                    back[place] = 1
        seen = [self.within_scene(chunk, n) for chunk, n in zip(chunks, back, strict=True)]
        nothing: list[Tensor | None] = [None] * len(chunks)
        if s.cfg_number == 1:
            copies = t[clean] > s.distill_nearly_clean_chunk_threshold
            v = self.forward(x, chunks, t, captions, seen, False, index, copies, int(clean))
            if copies:
                v[clean] = 0.7 * v[clean] + 0.3 * v.pop()
            return v[clean:]
        with_text = self.forward(x, chunks, t, captions, seen, False, index)
        with_history = self.forward(x, chunks, t, nothing, seen, True, index)
        guided = []
        for place in range(int(clean), len(chunks)):
            starts = torch.tensor(s.cfg_t_range) - 1e-7
            entry = int(torch.searchsorted(starts, torch.tensor(t[place]))) - 1
            p, c = s.prev_chunk_scales[entry], s.text_scales[entry]
            alone = self.forward_alone(x, chunks[place], t[place], index)
            guided.append(
                (1 - p) * alone + (p - c) * with_history[place] + c * with_text[place],
            )
        return guided

    def forward(
        self,
        x: Tensor,
        chunks: list[int],
        t: list[float],
        captions: list[Tensor | None],
        seen: list[int],
        unconditional: bool,
        index: int,
        copies: bool = False,
        copied: int = 0,
    ) -> list[Tensor]:
        """Velocity of each chunk, which sees those from its entry of ``seen`` up to itself.

        With ``copies`` the chunk at place ``copied`` comes once more at the end, seeing itself.
        """
        width = self.settings.chunk_width
        parts = [x[:, :, chunk * width :][:, :, :width] for chunk in chunks]
        positions = list(chunks)
        if copies:
            parts.append(parts[copied])
            t, captions = [*t, t[copied]], [*captions, captions[copied]]
            positions.append(chunks[-1] + 1)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            own = zip(*(y.chunk(len(parts), dim=1) for y in (q, k, v)), strict=True)
            queries, keys, values = (list(y) for y in zip(*own, strict=True))
            for place, chunk in enumerate(chunks):
                self.cache[layer, chunk] = keys[place].clone(), values[place].clone()
            out = []
            for place, query in enumerate(queries):
                if place == len(chunks):
                    pairs = [(keys[place], values[place])]
                else:
                    pairs = [self.cache[layer, c] for c in range(seen[place], chunks[place] + 1)]
                key, value = (torch.cat(y, dim=1) for y in zip(*pairs, strict=True))
                out.append(softmax_attention(query, key, value))
            return torch.cat(out, dim=1)

        return self.run(parts, t, captions, positions, attend, unconditional, index)

    def forward_alone(self, x: Tensor, chunk: int, t: float, index: int) -> Tensor:
        """Velocity of a chunk as if it were a whole video, without caption."""
        width = self.settings.chunk_width
        part = x[:, :, chunk * width :][:, :, :width]
        attend = lambda layer, q, k, v: softmax_attention(q, k, v)  # noqa: E731
        return self.run([part], [t], [None], [0], attend, True, index)[0]

    def run(self, parts, t, captions, positions, attend, unconditional, index) -> list[Tensor]:  # type: ignore[no-untyped-def]
        """The transformer, as section 2 has it."""
        s = self.settings
        code = None
        if s.distill:
            of_twelve = 4 / interval(12, s.shortcut_mode, index)
            code = torch.tensor((of_twelve if s.num_steps == 12 else s.num_steps / 4) * 2)
        rows = [self.null if caption is None else caption for caption in captions]
        velocity = self.model(
            torch.cat(parts, dim=2),
            torch.tensor([t]),
            CaptionBatch(
                torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
                tuple(len(row) for row in rows),
            ),
            chunk_positions=positions,
            attend=attend,
            unconditional=unconditional,
            step_code=code,
        )
        return list(velocity.chunk(len(parts), dim=2))
