"""Generate what a trial asks for, as the program itself does, only without any media files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from magi_engine.model.special_tokens import DEFAULT_TOKENS
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import Direction, SamplerSettings, Transition
from magi_engine.training.tracking import Frames
from magi_engine.training.trials import Task
from magi_engine.weights.layout import FoundModel


class Camera:
    """Films tasks with one model on one device.

    Args:
        found: the model's files.
        settings: of the sampler.
    """

    def __init__(
        self,
        found: FoundModel,
        settings: SamplerSettings,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._model = LoadedModel(found, device, dtype)
        self._settings = settings
        self._runtime = found.config.runtime_config

    def film(self, task: Task) -> Frames:
        """The generated frames; a clip it goes on from is not part of them."""
        model, width = self._model, self._settings.chunk_width
        prefix = self._prefix(task)
        before = 0 if task.clip is None or prefix is None else prefix.shape[2] // width
        names = tuple(token.value for token in DEFAULT_TOKENS)
        captions = model.caption_track(model.text.encode(task.prompt).embedding, names)
        changed = task.change_chunk + before
        goes_on = task.transition is Transition.GO_ON
        direction = Direction({} if goes_on else {changed: task.transition})
        then = None
        if task.next_prompt is not None:
            then = model.text.encode(task.next_prompt).embedding
            # With a window of one no chunk begins before those before it are done.
            if not task.at_once or self._settings.window_size == 1:
                captions.change(changed, then)
                then = None
        events = Sampler(model.dit, self._settings).sample(
            height=self._runtime.video_size_h // model.pixels_per_latent,
            width=self._runtime.video_size_w // model.pixels_per_latent,
            captions=captions,
            noise=SeededNoise(task.seed),
            num_chunks=before + task.chunks,
            prefix=prefix,
            direction=direction,
        )
        parts: list[Frames] = []
        for event in events:
            begun = event.forward.chunks[1:] if isinstance(event, StepDone) else ()
            if then is not None and changed in begun:  # and is not the oldest in work
                captions.reopen(changed)
                captions.change(changed, then)
                direction.restart_from, then = changed, None
            if isinstance(event, ChunkDone):
                latents = event.latents
                if task.image is not None and prefix is not None and event.index == 0:
                    # The last step moves the image once more; the result begins with itself.
                    latents = torch.cat([prefix.to(latents), latents[:, :, 1:]], dim=2)
                parts.append(model.decode(latents)[0].cpu().numpy())
        return np.concatenate(parts)

    def _prefix(self, task: Task) -> Tensor | None:
        """What the video starts with, (1, 16, T, h, w)."""
        if task.image is not None:
            return self._model.encode(task.image[None])
        return None if task.clip is None else self._model.encode(task.clip[None])
