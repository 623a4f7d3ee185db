"""The models in memory: loaded when needed, kept for the next job, freed when another comes."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.messages import Message
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.model.vae import ViTVAE, pixels_of
from magi_engine.ops.mesh import ALONE, Mesh
from magi_engine.runtime.machine.facts import HeldModel
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.runtime.models.libraries import Libraries
from magi_engine.runtime.models.memory import require_room
from magi_engine.runtime.models.preview import Previewer
from magi_engine.runtime.models.prompts import PromptEncoder
from magi_engine.runtime.planning.placement import Placement
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Decode
from magi_engine.weights.checkpoint import load_weights
from magi_engine.weights.layout import FoundModel
from magi_engine.weights.provenance import EMBEDDINGS


class LoadedModel:
    """One model on one device. Its parts are loaded one by one, by whoever says so to the user."""

    def __init__(
        self,
        found: FoundModel,
        device: torch.device,
        dtype: torch.dtype,
        cache_dir: Path | None = None,
    ) -> None:
        model_config = found.config.model_config
        self.found = found
        self.device = device
        self.dtype = dtype
        self.text = PromptEncoder(
            found.files.text_encoder,
            device,
            model_config.caption_channels,
            model_config.caption_max_length,
            None if cache_dir is None else cache_dir / EMBEDDINGS,
        )
        self.placement = Placement(0, 0)
        self.kernels = DeviceKernels(device, cache_dir)
        self.libraries = Libraries(self.kernels, found.config, device, dtype)
        self._dit: VideoDiT | None = None
        self._vae: ViTVAE | None = None
        self._special_tokens: SpecialTokens | None = None

    @property
    def dit_loaded(self) -> bool:
        """Whether the transformer is in memory."""
        return self._dit is not None

    @property
    def vae_loaded(self) -> bool:
        """Whether the autoencoder is in memory."""
        return self._vae is not None

    @property
    def dit(self) -> VideoDiT:
        """The transformer, loaded if it was not, and free to compute."""
        if self._dit is None:
            self.load_dit()
        self.libraries.wait()
        assert self._dit is not None
        return self._dit

    @property
    def vae(self) -> ViTVAE:
        """The autoencoder, loaded if it was not, and free to compute."""
        if self._vae is None:
            self.load_vae()
        self.libraries.wait()
        assert self._vae is not None
        return self._vae

    @contextlib.contextmanager
    def in_mesh(self, mesh: Mesh) -> Iterator[None]:
        """Compute and decode with others in this context."""
        self.dit.mesh = self.vae.mesh = mesh
        try:
            yield
        finally:
            self.dit.mesh = self.vae.mesh = ALONE

    def place(self, placement: Placement) -> None:
        """Use memory as ``placement`` says; what is loaded moves, what is not will load so.

        Raises:
            torch.OutOfMemoryError, MemoryError: there is no room for it. Another may be tried.
        """
        self.placement = placement
        if self._dit is not None:
            self._dit.part_tokens = placement.part_tokens
            self._dit.offload(placement.offloaded_layers)
        if self._vae is not None:
            self._vae.tiles_at_once = placement.tiles_at_once

    def load_dit(self) -> None:
        """Load the transformer, unless it is there, each layer to where it is placed.

        Raises:
            ModelNotFoundError, WeightsError: its files are missing, damaged or of another shape.
            OutOfMemoryError: the host has no room for what goes there.
            torch.OutOfMemoryError, MemoryError: there is no room for it where it is placed.
        """
        if self._dit is not None:
            return
        config = self.found.config
        model_config = dataclasses.replace(config.model_config, params_dtype=str(self.dtype))
        with torch.device("meta"):
            dit = VideoDiT(model_config, fp8=config.engine_config.fp8_quant)
        layers = tuple(f"videodit_blocks.layers.{i}." for i in self.placement.offloaded_layers)
        self._read(dit, Message("The model"), self.found.files.transformer, layers)
        dit.speed_up(self.kernels.plain, self.kernels.attention)
        self._dit = dit
        self.place(self.placement)

    def load_vae(self) -> None:
        """Load the autoencoder, unless it is there; errors as of :meth:`load_dit`."""
        if self._vae is not None:
            return
        directory = self.found.files.autoencoder
        with torch.device("meta"):
            vae = ViTVAE(VaeConfig.from_json(directory / "config.json"))
        vae.to(self.dtype)
        self._read(vae, Message("The autoencoder"), directory, self._encoder_prefix)
        vae.speed_up(self.kernels.plain, self.kernels.exact_attention)
        self._vae = vae
        self.place(self.placement)

    def _read(self, module: nn.Module, name: Message, path: Path, host: tuple[str, ...]) -> None:
        """Fill a module; tensors whose names begin with one of ``host`` stay on the host."""

        def on_host(tensor: str) -> bool:
            return self.device.type == "cpu" or tensor.startswith(host)

        require_room(module, name, on_host)
        self.libraries.begin()
        load_weights(module, path, device=self.device, on_host=on_host)
        module.eval().requires_grad_(False)

    def choose_attention(self, choice: str) -> None:
        """What the transformer attends with from now on, see :func:`attention_for`."""
        if self.kernels.choose(choice) and self._dit is not None:
            self._dit.speed_up(self.kernels.plain, self.kernels.attention)

    def caption_track(
        self, caption: Tensor, names: tuple[str, ...], negative: bool = False
    ) -> CaptionTrack:
        """A prompt track that begins with ``caption`` (L, C); see :class:`CaptionTrack`."""
        if self._special_tokens is None:
            self._special_tokens = SpecialTokens.load(self.found.files.special_tokens)
        return CaptionTrack(
            caption,
            self._special_tokens,
            [SpecialToken(name) for name in names],
            self.found.config.model_config.caption_max_length,
            negative,
        )

    @torch.inference_mode()
    def encode(self, frames: NDArray[np.uint8]) -> Tensor:
        """Frames (N, T, H, W, 3) as scaled latents (N, 16, T', H/8, W/8), float32.

        T is 1 for images, which become one latent frame each, or a multiple of 4.
        """
        latents = []
        encoder = self.vae.encoder.to(self.device)
        try:
            # As many frames on the device as are encoded together.
            for piece in torch.from_numpy(frames).split(self._tile.frames, dim=1):
                pixels = piece.to(self.device).permute(0, 4, 1, 2, 3)  # (N, 3, T, H, W)
                video = (pixels.float() / 127.5 - 1).to(self.dtype)
                latents.append(self.vae.encode(video, self._tile).float() * self._scale_factor)
        finally:
            if self._encoder_prefix:
                encoder.cpu()
        return torch.cat(latents, dim=2)

    @torch.inference_mode()
    def decode(self, latents: Tensor, vae: ViTVAE | None = None) -> tuple[Tensor, Tensor]:
        """Scaled latents (1, 16, T, h, w) as frames (4T, 8h, 8w, 3), uint8, on the device.

        With them comes whether latents and video are finite, a bool tensor there.

        Only queues the work, where the device has a queue. In a mesh the others decode along.

        Args:
            vae: instead of this model's own.
        """
        vae = vae or self.vae
        if vae.mesh.size > 1:
            vae.mesh.agree(lambda: Decode(latents.cpu(), vae.tiles_at_once))
        video = self._video_of(latents, vae)[0]  # (3, T, H, W)
        return pixels_of(video), video.isfinite().all() & latents.isfinite().all()

    @torch.inference_mode()
    def decode_along(self, told: Decode) -> None:
        """This process's share of what another one decodes."""
        self.vae.tiles_at_once = told.tiles_at_once
        self._video_of(told.latents, self.vae)

    def _video_of(self, latents: Tensor, vae: ViTVAE) -> Tensor:
        unscaled = (latents.to(self.device).float() / self._scale_factor).to(self.dtype)
        return vae.decode(unscaled, self._tile)

    def previewer(self, cache_dir: Path) -> Previewer:
        """What makes rough pictures of this model's latents; keeps its map in ``cache_dir``."""
        return Previewer(
            self.found.files.autoencoder,
            self._scale_factor,
            self.found.config.model_config.latent_channels,
            self.encode,
            cache_dir,
        )

    def unload(self) -> None:
        """Free everything."""
        self.libraries.wait()
        self.text.release()
        self._dit = self._vae = self._special_tokens = None
        self.kernels.warm.clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def held_bytes(self) -> int:
        """Memory that :meth:`unload` gives back, on the model's device."""
        modules = [module for module in (self._dit, self._vae) if module is not None]
        return sum(tensor.nbytes for m in modules for tensor in m.state_dict().values())

    def offloaded_bytes(self) -> int:
        """Memory of the machine that :meth:`unload` gives back, if it is not the model's device."""
        return 0 if self._dit is None else self._dit.offloaded_bytes

    @property
    def pixels_per_latent(self) -> int:
        """Pixels along each side that one latent stands for."""
        return self.vae.config.patch_size

    @property
    def frames_per_latent(self) -> int:
        """Frames of video that one latent frame stands for."""
        return self.found.config.runtime_config.temporal_downsample_factor

    @property
    def _encoder_prefix(self) -> tuple[str, ...]:
        """The autoencoder's tensors that stay on the host: its encoder works once per video."""
        return ("encoder.",) if self.device.type == "cuda" else ()

    @property
    def _tile(self) -> Tile:
        # The model's own rate, whatever the video's is: the tile is what the autoencoder suits.
        return Tile.released(self.found.config.runtime_config.fps)

    @property
    def _scale_factor(self) -> float:
        return self.found.config.runtime_config.scale_factor


class ModelCache:
    """Holds the model of the last job; a job with another model or device frees it first."""

    def __init__(self, models_dir: Path | None, cache_dir: Path | None = None) -> None:
        self.models_dir = models_dir
        self._cache_dir = cache_dir
        self._model: LoadedModel | None = None

    def model(self, found: FoundModel, device: torch.device, dtype: torch.dtype) -> LoadedModel:
        """The model for a job, with nothing loaded that is not there already."""
        model = self._model
        if model is None or (model.found, model.device, model.dtype) != (found, device, dtype):
            self.clear()
            model = self._model = LoadedModel(found, device, dtype, self._cache_dir)
        return model

    def held_bytes(self) -> tuple[int, int]:
        """Memory that :meth:`clear` gives back: of the graphics card, and of the machine."""
        if self._model is None:
            return 0, 0
        if self._model.device.type == "cuda":
            return torch.cuda.memory_reserved(self._model.device), self._model.offloaded_bytes()
        return 0, self._model.held_bytes()

    def held_model(self) -> HeldModel | None:
        """What of the last job's model is still loaded."""
        model = self._model
        if model is None:
            return None
        return HeldModel(
            weights=model.found.files.transformer,
            device=str(model.device),
            dtype=str(model.dtype).removeprefix("torch."),
            text_encoder=model.text.loaded,
            networks=model.dit_loaded and model.vae_loaded,
        )

    def clear(self) -> None:
        """Free what is loaded."""
        if self._model is not None:
            self._model.unload()
            self._model = None
