"""The latents of a job's video: kept beside it as a take, and shared with an earlier one."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from magi_engine.errors import MagiError
from magi_engine.messages import Message
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.request.request import GenerationRequest, Mode
from magi_engine.takes.store import About, Take, TakeStore, TakeWriter, new_name

logger = logging.getLogger(__name__)


class KeptLatents:
    """Keeps the latents of one video, unless the limit says that none are kept.

    What goes wrong here ends the take and never the video.

    Attributes:
        earlier: the take that the video begins with; None: it begins by itself.
        name: of the take; None: there is none.

    Raises:
        TakeError: the earlier take is missing or damaged.
    """

    def __init__(self, plan: JobPlan, store: TakeStore) -> None:
        self._plan, self._store = plan, store
        start = plan.request.start
        self.earlier: Take | None = None if start is None else store.find(start.take)
        self.name = new_name() if store.limit_bytes and plan.request.output is not None else None
        store.tidy(*([] if start is None else [start.take]))
        self.prefix: NDArray[np.float32] | None = None
        """What the video starts from, (1, 16, T, h, w); set before the first chunk."""
        self._writer: TakeWriter | None = None
        self._said = ""
        self._problem: Message | None = None

    def start(self) -> NDArray[np.float32] | None:
        """What the sampler goes on from, (1, 16, T, h, w); None: nothing is shared.

        Raises:
            TakeError: it is damaged.
        """
        return None if self.earlier is None else self.earlier.start(self._plan.length.shared_chunks)

    def append(
        self, latents: NDArray[np.float32], request: GenerationRequest, source_frames: int
    ) -> None:
        """Keep a chunk, (1, 16, T, h, w); a take begins with its first one.

        Args:
            request: how the video is made.
            source_frames: of the clip that stands in front of the result in the file.
        """
        if self.name is None:
            return
        try:
            if self._writer is None:
                self._writer = self._begun(request, source_frames)
            self.describe(request)
            self._writer.append(latents)
        except MagiError as error:
            logger.warning("no latents are kept from here on", exc_info=True)
            self._problem, self.name = error.whole, None

    def describe(self, request: GenerationRequest) -> None:
        """Note how the video is really made.

        Raises:
            TakeError, DiskFullError: it cannot be written.
        """
        said = request.to_json()
        if self._writer is not None and said != self._said:
            self._writer.describe(said)
            self._said = said

    def take_problem(self) -> Message | None:
        """What ended the take, once."""
        problem, self._problem = self._problem, None
        return problem

    def _begun(self, request: GenerationRequest, source_frames: int) -> TakeWriter:
        plan, self._said = self._plan, request.to_json()
        about = About(
            request=self._said,
            fps=plan.fps,
            chunk_width=plan.config.runtime_config.chunk_width,
            in_front=request.mode is Mode.V2V,
            first_frames=plan.length.first_frames,
            chunk_frames=plan.length.chunk_frames,
            num_frames=request.num_frames,
            source_frames=source_frames,
        )
        writer = self._store.begin(about, self.name)
        if self.earlier is not None:
            writer.share(self.earlier, plan.length.shared_chunks)
        elif self.prefix is not None:
            writer.prefix(self.prefix)
        return writer
