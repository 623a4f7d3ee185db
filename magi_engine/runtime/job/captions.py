"""The prompts of a job as embeddings: those of the request, and those that come while it runs."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from magi_engine.errors import MagiError
from magi_engine.messages import Message
from magi_engine.runtime.job.control import Events, JobControl
from magi_engine.runtime.job.events import Event, Notice, PromptChanged, Stage, StageStarted
from magi_engine.runtime.job.output import VideoOutput
from magi_engine.runtime.job.pace import Preparation
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.request.request import PromptChange
from magi_engine.runtime.request.validation import check_letters, prompt_warning
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.schedule import Direction


class Captions:
    """Encodes prompts into the track that the sampler reads.

    Attributes:
        track: which caption each chunk has; once :meth:`encode_all` is through.
        direction: how chunks begin, which the sampler reads.
        along: the same of videos that are sampled in one batch with this one.
        oldest: the chunk that is the next to be finished, as the sampler counts.
    """

    track: CaptionTrack
    along: list[CaptionTrack]

    def __init__(
        self,
        plan: JobPlan,
        model: LoadedModel,
        output: VideoOutput,
        control: JobControl,
        preparation: Preparation,
    ) -> None:
        self._plan, self._model, self._output = plan, model, output
        self._control, self._preparation = control, preparation
        self.direction = Direction(plan.transitions())
        self.oldest = plan.length.first_chunk + plan.length.shared_chunks
        self._restarts_from: int | None = None

    def encode_all(self) -> Events:
        """The request's prompts."""
        request = self._plan.request
        first, *later = request.prompts_from(self._plan.length.shared_chunks)
        texts = [first.text, *(other.prompt for other in self._plan.along)]
        tracks: list[CaptionTrack] = []
        for text in texts:
            caption = yield from self._encode(text)
            tokens = request.special_tokens, request.negative_tokens
            tracks.append(self._model.caption_track(caption, *tokens))
            tracks[-1].later_chunks = self._plan.length.later_chunks
        self.track, *self.along = tracks
        for change in later:
            caption = yield from self._encode(change.text)
            self.track.change(change.chunk + self._plan.length.first_chunk, caption)
        self._model.text.release_if_large()

    def apply_changes(self) -> Events:
        """What came since; a chunk that has begun keeps its prompt, or starts anew at once. What
        cannot be encoded is said, and ends no video."""
        length = self._plan.length
        for change in self._control.box.take_prompts():
            try:
                check_letters(change.text)
                caption = yield from self._encode(change.text)
            except (MagiError, MemoryError, torch.OutOfMemoryError) as error:
                yield Notice(told_error(error).whole)
                continue
            finally:
                self._model.text.release_if_large()
            if change.at_once:
                self.track.reopen(self.oldest + 1)
            open_chunk = self.track.first_open_chunk - length.first_chunk
            wanted = 0 if change.at_once else change.from_chunk
            chunk = max(wanted, open_chunk, length.shared_chunks)
            if length.result_chunks is not None and chunk >= length.result_chunks:
                yield Notice(
                    Message("The prompt stays as it was: the last second has already started.")
                )
                continue
            if change.at_once:
                self._restarts_from = self.direction.restart_from = chunk + length.first_chunk
            elif chunk > change.from_chunk:
                yield Notice(
                    Message(
                        "That part has already started; the new prompt applies from {seconds} s "
                        "on.",
                        seconds=f"{self._plan.chunk(chunk).starts_s:.3g}",
                    )
                )
            self.track.change(chunk + length.first_chunk, caption)
            self.direction.transitions[chunk + length.first_chunk] = change.transition
            others = [p for p in self._output.request.prompts if p.chunk != chunk]
            prompts = sorted(
                [*others, PromptChange(chunk, change.text, change.transition)],
                key=lambda p: p.chunk,
            )
            self._output.made_with(prompts=tuple(prompts))
            yield PromptChanged(chunk, change.text, change.transition)

    def take_restart(self) -> int | None:
        """The chunk from which on the window starts anew since the last call."""
        chunk, self._restarts_from = self._restarts_from, None
        return chunk

    def _encode(self, text: str) -> Generator[Event, None, Tensor]:
        """Embedding (L, C) of a prompt, on the CPU; says what of it is not read."""
        encoder = self._model.text
        if sentence := prompt_warning(text):
            yield Notice(sentence)
        if not encoder.knows(text):
            if not encoder.loaded:
                yield StageStarted(Stage.LOADING_TEXT_ENCODER)
                with self._preparation.loading_text:
                    encoder.load()
                yield from self._control.checkpoint()
            yield StageStarted(Stage.ENCODING_PROMPT)
            with self._preparation.encoding:
                encoder.encode(text)  # which is known from now on
        encoded = encoder.encode(text)
        yield from self._control.checkpoint()
        if encoded.was_cut:
            yield Notice(
                Message(
                    "The prompt has {tokens} tokens; only the first {most} of them count.",
                    tokens=encoded.token_count,
                    most=len(encoded.embedding),
                )
            )
        return encoded.embedding
