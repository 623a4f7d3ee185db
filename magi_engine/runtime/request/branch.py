"""New videos that begin with chunks of an earlier one."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from magi_engine.errors import MagiError, TakeError
from magi_engine.json_text import parse_json, read_fields
from magi_engine.media.info import probe
from magi_engine.runtime.request.length import frames_for
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, PromptChange, TakeStart
from magi_engine.sampling.schedule import Transition
from magi_engine.takes.store import About, Take, Takes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lineage:
    """Which take a video is, and of what.

    Attributes:
        take: the name of its latents; None: they were not kept.
        start: what it shares with an earlier take; None: it is the first.
    """

    take: str | None = None
    start: TakeStart | None = None

    @classmethod
    def of(cls, request_text: str) -> Lineage:
        """Of a request as JSON; nothing where that is damaged. Quick: for thousands of videos."""
        try:
            return read_fields(cls, parse_json(request_text))
        except (ValueError, TypeError):
            return cls()

    @property
    def family(self) -> str | None:
        """The same for all takes of one video: the name of the first one."""
        return self.take if self.start is None else self.start.origin or self.start.take


@dataclass(frozen=True)
class Leg:
    """A part of a way through takes: chunks of one of them."""

    request: GenerationRequest
    chunks: range


def joined(legs: Sequence[Leg]) -> GenerationRequest:
    """What a video says of itself that is joined from parts of takes, each in its place.

    It has the prompts of all parts. There are no latents of it as a whole: it is gone on with from
    its file. Which takes it was joined from is noted in ``extra``.
    """
    prompts: list[PromptChange] = []
    for leg in legs:
        begins = [change for change in leg.request.prompts if change.chunk <= leg.chunks.start]
        if begins:
            transition = begins[-1].transition
            if begins[-1].chunk < leg.chunks.start:
                transition = Transition.GO_ON
            first = PromptChange(leg.chunks.start, begins[-1].text, transition)
            if not prompts or first.text != prompts[-1].text or transition is not Transition.GO_ON:
                prompts.append(first)
        prompts += [p for p in leg.request.prompts if leg.chunks.start < p.chunk < leg.chunks.stop]
    first, last = legs[0].request, legs[-1]
    frames = first.frames_before(last.chunks.stop)
    if last.request.num_frames is not None:
        frames = min(frames, last.request.num_frames)
    takes = [
        {
            "take": leg.request.take,
            "seed": leg.request.seed,
            "chunks": [leg.chunks[0], leg.chunks[-1]],
        }
        for leg in legs
    ]
    return dataclasses.replace(
        first,
        prompts=tuple(prompts),
        num_frames=frames,
        only_chunks=None,
        start=None,
        take=None,
        extra={**first.extra, "joined_from": takes},
    )


@dataclass(frozen=True)
class Earlier:
    """A video whose latents are kept.

    Attributes:
        request: what it was made from.
        video: its file; None: only the latents are there.
        frames_shown: of the video in its file, where more chunks than are kept were planned; 0
            where nobody has looked. A disk that was full may have ended the take, not the video.
    """

    request: GenerationRequest
    take: Take
    video: Path | None = None
    frames_shown: int = 0

    @classmethod
    def of_video(cls, video: Path, store: Takes) -> Earlier:
        """Of a file that this program made.

        Raises:
            MagiError: it has no settings, or its latents are not kept or damaged.
        """
        request = read_request(video)
        if request.take is None:
            raise _nothing_kept(video)
        earlier = cls.of_take(store.find(request.take), video)
        if earlier.take.finished:
            return earlier
        return dataclasses.replace(earlier, frames_shown=_frames_shown(video, earlier.take.about))

    @classmethod
    def of_take(cls, take: Take, video: Path | None = None) -> Earlier:
        """Of kept latents.

        Raises:
            MagiError: they are damaged.
        """
        return cls(GenerationRequest.from_json(take.about.request), take, video)

    @classmethod
    def unfinished(cls, request: GenerationRequest, store: Takes) -> Earlier | None:
        """Of a job that was begun with ``request`` and did not come to its end; reads its latents.

        Returns:
            None: there is none, or its latents are damaged.
        """
        for take in store.all():
            try:
                earlier = cls.of_take(take)
                # Prompts may change while a video is made.
                begun = dataclasses.replace(earlier.request, prompts=request.prompts).as_wished()
                if take.finished or not take.chunks or begun != request.as_wished():
                    continue
                store.check(take)
            except MagiError as error:
                logger.warning("%s cannot be gone on with: %s", take.folder, error)
                continue
            video = Path(request.output or "")
            return dataclasses.replace(earlier, video=video if video.is_file() else None)
        return None

    @property
    def frames(self) -> int:
        """Frames of the video, whether they are kept or only in its file."""
        return max(self.take.frames, self.frames_shown)

    @property
    def chunks(self) -> int:
        """How many chunks those frames are."""
        if self.frames == self.take.frames:
            return self.take.chunks
        about = self.take.about
        return 1 + max(0, -(-(self.frames - about.first_frames) // about.chunk_frames))

    @property
    def finished(self) -> bool:
        """Whether the video was made to its end, even if not all of it was kept."""
        wanted = self.take.about.num_frames
        return wanted is not None and self.frames >= wanted

    def check_kept(self, chunk: int) -> None:
        """Check that what is kept does not end before a chunk that has others before it.

        Raises:
            TakeError: it does, and the file goes on.
        """
        if self.video is None or self.chunks == self.take.chunks or chunk <= self.take.chunks:
            return
        if not self.take.chunks:
            raise _nothing_kept(self.video)
        about = self.take.about
        raise TakeError(
            "Only the first {seconds:g} s of {name} are kept for redoing.",
            "Continue it from its file: magi generate --video FILE.",
            seconds=round((about.source_frames + self.take.frames) / about.fps, 1),
            name=self.video.name,
        )

    def redone(
        self,
        chunk: int,
        *,
        text: str | None = None,
        transition: Transition | None = None,
        seed: int | None = None,
        seconds: float | None = None,
    ) -> GenerationRequest:
        """The same video up to a chunk, and from there on made anew.

        Args:
            text: the prompt from there on; None: as it was.
            transition: what the chunk takes over from those before it; None: as it was.
            seed: None: as it was.
            seconds: how much is made from there on; None: as much as there was.

        Raises:
            InvalidRequestError: that is no length. TakeError: as :meth:`check_kept`.
        """
        self.check_kept(chunk)
        prompts, was = self.request.prompts, self.transition_at(chunk)
        transition = was if transition is None else transition
        if text is not None or transition is not was:
            before = [change for change in prompts if change.chunk < chunk]
            after = [change for change in prompts if change.chunk > chunk and text is None]
            text = self.prompt_at(chunk) if text is None else text
            prompts = (*before, PromptChange(chunk, text, transition), *after)
        frames = self.request.num_frames
        if seconds is not None:
            about = self.take.about
            frames = end = about.frames_before(chunk) + frames_for(seconds, round(about.fps))
            prompts = tuple(p for p in prompts if about.frames_before(p.chunk) < end)
        video = None if self.video is None else str(self.video.absolute())
        return dataclasses.replace(
            self.request.as_wished(),
            prompts=prompts,
            seed=self.request.seed if seed is None else seed,
            num_frames=frames,
            only_chunks=None,
            start=TakeStart(self.take.name, chunk, video, self._origin),
        )

    @property
    def _origin(self) -> str | None:
        start = self.request.start
        return None if start is None else start.origin or start.take

    def chunk_at(self, second: float) -> int:
        """The chunk that the file shows then; behind its end, the one that would come next."""
        about = self.take.about
        frame = round(second * about.fps) - about.source_frames
        if frame >= self.frames:
            return self.chunks
        starts = map(about.frames_before, range(1, self.chunks))
        return sum(start <= frame for start in starts)

    def prompt_at(self, chunk: int) -> str:
        """What a chunk was made from, or the one after the last would be."""
        said = [change.text for change in self.request.prompts if change.chunk <= chunk]
        return said[-1] if said else ""

    def transition_at(self, chunk: int) -> Transition:
        """What a chunk took over from those before it."""
        own = [change.transition for change in self.request.prompts if change.chunk == chunk]
        return own[-1] if own else Transition.GO_ON

    def has_prompts_after(self, chunk: int) -> bool:
        """Whether chunks after it have prompts of their own."""
        return any(change.chunk > chunk for change in self.request.prompts)

    def extended(self, seconds: float, text: str | None = None) -> GenerationRequest:
        """The video and ``seconds`` after its last chunk; ``text`` and errors as for
        :meth:`redone`."""
        return self.redone(self.chunks, text=text, seconds=seconds)

    def resumed(self) -> GenerationRequest:
        """The rest of a video that was not made to its end."""
        return self.redone(self.take.chunks)


def _nothing_kept(video: Path) -> TakeError:
    return TakeError(
        "What it takes to redo {name} was not kept.",
        "Continue it from its file: magi generate --video FILE.",
        name=video.name,
    )


def _frames_shown(video: Path, about: About) -> int:
    """Frames of a video by its file, without what stands in front of it; 0: it does not say."""
    if video.is_dir():
        return len(list(video.glob("*.png"))) - about.source_frames
    with contextlib.suppress(MagiError):  # a request alone, or damaged: then what is kept counts
        info = probe(video)
        frames = info.frame_count or round((info.duration_s or 0.0) * about.fps)
        return frames - about.source_frames
    return 0
