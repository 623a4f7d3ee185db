"""The diffusion transformer of MAGI-1 (spec section 2).

A plain ``nn.Module``: parameter names are the checkpoint's, no scheduling, no cache. Who may see
whom in self-attention is the caller's business and comes in as a function (:data:`Attend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.config.sizes import PART_TOKENS
from magi_engine.model.block import Attend, KeyRoom, Part, TransformerBlock, parts_of
from magi_engine.model.captions import Captions
from magi_engine.model.offload import OffloadedLayers
from magi_engine.ops.attention import Attention, attention
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.mesh import ALONE, Mesh
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.rope import rotary_angles

NULL_CAPTION_TOKENS = 50
"""How many positions of the null caption count as valid."""

_TIMESTEP_FEATURES = 256


class VideoDiT(nn.Module):
    """MAGI-1's transformer in all its variants.

    Args:
        config: the shape; ``params_dtype`` is the dtype of the blocks, everything the release
            keeps in float32 stays float32.
        fp8: whether the checkpoint is quantised; all layers but the first and last then have
            e4m3 linears.
    """

    def __init__(self, config: ModelConfig, fp8: bool = False) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        patch = config.patch_size**2
        self.dtype: torch.dtype = getattr(torch, config.params_dtype.removeprefix("torch."))
        self.x_embedder = nn.Conv3d(
            config.in_channels,
            size,
            kernel_size=(1, config.patch_size, config.patch_size),
            stride=(1, config.patch_size, config.patch_size),
            bias=False,
            dtype=torch.float32,
        )
        self.t_embedder = TimestepEmbedder(config.condition_size, self.dtype)
        self.y_embedder = CaptionEmbedder(config)
        self.rope = _RotaryBands(config.kv_channels)
        self.videodit_blocks = _Blocks(config, self.dtype, fp8)
        self.final_linear = _FinalLinear(size, patch * config.out_channels)
        self.attention: Attention = attention
        """What callers should attend with; may be replaced by a faster one."""
        self.part_tokens = PART_TOKENS
        """Fewer take less memory beside the weights, and longer."""
        self.mesh: Mesh = ALONE
        """Who computes together; all of them are given the same."""
        self._offloaded = OffloadedLayers(self.layers)

    def speed_up(self, kernels: Kernels, attention: Attention = attention) -> None:
        """Make inference fast, once the weights are there; training is over for this model.

        Linears that share their input become one, where that changes nothing. ``state_dict``
        keeps the official names.

        Args:
            kernels: what runs between the matrix products.
            attention: see :attr:`attention`.
        """
        self.attention = attention
        for layer in self.layers:
            layer.kernels = layer.self_attention.kernels = layer.mlp.kernels = kernels
            layer.self_attention.linear_qkv.fuse()

    @torch.inference_mode(False)  # weights made there could not be moved elsewhere
    def offload(self, layers: Sequence[int]) -> None:
        """Keep the weights of these layers, and no others, in pinned host memory; for inference.

        They are copied to the device each time when they run.

        Raises:
            torch.OutOfMemoryError, MemoryError: out of memory; the weights are still whole.
        """
        self._offloaded.choose(layers, self.device)

    @property
    def offloaded(self) -> tuple[int, ...]:
        """The layers in host memory, see :meth:`offload`."""
        return self._offloaded.indices

    @property
    def offloaded_bytes(self) -> int:
        """Host memory of the offloaded layers."""
        return self._offloaded.host_bytes

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.x_embedder.weight.device

    @property
    def layers(self) -> list[TransformerBlock]:
        """The blocks, first to last."""
        return cast("list[TransformerBlock]", list(self.videodit_blocks.layers))

    def null_caption(self) -> Tensor:
        """The caption that says nothing: (50, caption_channels)."""
        return self.y_embedder.null_caption_embedding[:NULL_CAPTION_TOKENS]

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        captions: Captions,
        *,
        chunk_positions: Sequence[int],
        attend: Attend | KeyRoom,
        unconditional: bool = False,
        step_code: Tensor | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Velocity of some chunks, all in one pass.

        Args:
            latents: (N, 16, R * chunk_width, h, w), R chunks one after the other.
            timesteps: (N, R), 0 = noise, 1 = clean.
            captions: N * R captions.
            chunk_positions: R positions in the video, in chunks.
            attend: self-attention, see :data:`Attend`.
            unconditional: whether this is a pass without caption (it has its own adaLN vector).
            step_code: (N,) or scalar code of the step size, for distilled models only.
            rotary: what :meth:`rotary` gives for these positions, if it is known already.

        Returns:
            Velocity, the shape of ``latents``, float32.
        """
        condition = self.condition(timesteps, unconditional, step_code)  # (N, R, D/4)
        if rotary is None:
            rotary = self.rotary(chunk_positions, latents.shape)
        x = self.own_tokens(latents, timesteps.shape[1])
        x = self.velocity_of(x, captions, condition, rotary, attend)
        return self.whole_velocity(x, latents.shape, timesteps.shape[1])

    def own_tokens(self, latents: Tensor, chunks: int) -> Tensor:
        """Patches of this process's share of R chunks: (N, 16, T, h, w) -> (N, S, C) float32."""
        patch = self.config.patch_size
        latents = latents.float() * self.config.x_rescale_factor
        if self.config.half_channel_vae:
            latents = torch.cat([latents, latents], dim=1)
        patches = "n c t (h ph) (w pw) -> n (t h w) (c ph pw)"
        return self.mesh.own(rearrange(latents, patches, ph=patch, pw=patch), chunks, 1)

    def velocity_of(
        self,
        patches: Tensor,
        captions: Captions,
        condition: Tensor,
        rotary: tuple[Tensor, Tensor],
        attend: Attend | KeyRoom,
    ) -> Tensor:
        """:meth:`forward` between :meth:`own_tokens` and :meth:`whole_velocity`; (N, S, C).

        Nothing but ``attend`` waits for other processes.
        """
        count, chunks = len(patches), condition.shape[1]
        own = patches.shape[1] // chunks
        # Autograd keeps everything anyway.
        most = count * patches.shape[1] if torch.is_grad_enabled() else self.part_tokens
        parts = parts_of(count, chunks, own, most)
        x = _by_parts(self._embed, patches, parts)  # (N, S, D)
        cos, sin = (self.mesh.own(angles, chunks, 0) for angles in rotary)
        seen = captions.seen_by(self, count)
        for index, layer in enumerate(self.layers):
            x = layer(index, x, condition, seen, (cos, sin), attend, parts)
        return _by_parts(self._velocity, x, parts)

    def whole_velocity(self, x: Tensor, shape: torch.Size, chunks: int) -> Tensor:
        """The velocity of latents of ``shape``, from every process's share of R chunks."""
        patch = self.config.patch_size
        height, width = shape[3] // patch, shape[4] // patch
        x = self.mesh.whole(x, chunks, shape[2] // chunks * height * width)
        velocity = rearrange(
            x,
            "n (t h w) (ph pw c) -> n c t (h ph) (w pw)",
            h=height,
            w=width,
            ph=patch,
            pw=patch,
        )
        return velocity[:, : self.config.latent_channels] / self.config.x_rescale_factor

    def rotary(
        self, positions: Sequence[int], shape: torch.Size, bands: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the tokens of R chunks, see :func:`rotary_angles`.

        Args:
            positions: of the chunks in the video.
            shape: of their latents, (N, 16, T, h, w).
            bands: a copy of ``rope.bands`` on the CPU, if there is one.
        """
        chunk_width = shape[2] // len(positions)
        patch = self.config.patch_size
        height, width = shape[3] // patch, shape[4] // patch
        bands = self.rope.bands if bands is None else bands
        return rotary_angles(bands, positions, chunk_width, height, width, self.device)

    def _embed(self, patches: Tensor) -> Tensor:
        # A convolution whose stride is its kernel is a linear layer on patches: the same
        # numbers, on every device.
        return F.linear(patches, self.x_embedder.weight.flatten(1)).to(self.dtype)

    def _velocity(self, x: Tensor) -> Tensor:
        return self.final_linear.linear(self.videodit_blocks.final_layernorm(x.float()))

    def project_captions(self, embeddings: Tensor) -> Tensor:
        """(B, L, caption_channels) -> (B, L, D) in the dtype of the blocks."""
        return self.y_embedder.y_proj_xattn(embeddings.float()).to(self.dtype)

    def condition(
        self, timesteps: Tensor, unconditional: bool = False, step_code: Tensor | None = None
    ) -> Tensor:
        """What the blocks know of the time: (N, R) -> (N, R, D/4)."""
        condition = self.t_embedder(timesteps)
        if step_code is not None:
            condition = condition + self.t_embedder(step_code.reshape(-1, 1))
        return (condition + self.y_embedder.adaln(unconditional)).to(self.dtype)


def sinusoid_frequencies(device: torch.device) -> Tensor:
    """The sinusoid's 128 frequencies, float32; processors round one or another differently."""
    half = _TIMESTEP_FEATURES // 2
    exponents = torch.arange(half, device=device, dtype=torch.float32) / half
    return torch.exp(-math.log(10000) * exponents)


class TimestepEmbedder(nn.Module):
    """Sinusoid of a scalar, then two linears (float32). (...) -> (..., D/4)."""

    def __init__(self, size: int, model_dtype: torch.dtype) -> None:
        super().__init__()
        self.model_dtype = model_dtype
        self.mlp = nn.Sequential(
            nn.Linear(_TIMESTEP_FEATURES, size, dtype=torch.float32),
            nn.SiLU(),
            nn.Linear(size, size, dtype=torch.float32),
        )

    def forward(self, scalar: Tensor) -> Tensor:
        """Embed timesteps or step codes; both are scaled by 1000."""
        # In this order, as the release rounds.
        angles = scalar.float()[..., None] * sinusoid_frequencies(scalar.device) * 1000
        features = torch.cat([angles.cos(), angles.sin()], dim=-1)
        # The release rounds the sinusoid to the model's dtype before the float32 linear.
        return self.mlp(features.to(self.model_dtype).float())


class CaptionEmbedder(nn.Module):
    """Caption projections and the null caption (float32)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.caption_channels
        self.y_proj_xattn = nn.Sequential(
            nn.Linear(channels, config.hidden_size, dtype=torch.float32), nn.SiLU()
        )
        self.y_proj_adaln = nn.Sequential(
            nn.Linear(channels, config.condition_size, dtype=torch.float32)
        )
        self.null_caption_embedding = nn.Parameter(
            torch.zeros(config.caption_max_length, channels, dtype=torch.float32)
        )

    def adaln(self, unconditional: bool) -> Tensor:
        """The adaLN part of the condition (D/4,): it knows only whether there is a caption."""
        return self.y_proj_adaln(self.null_caption_embedding[-1 if unconditional else -2])


class _RotaryBands(nn.Module):
    def __init__(self, head_dim: int) -> None:
        super().__init__()
        count = head_dim // 8
        # On the CPU: to count on the meta device, PyTorch loads its compiler, for a second.
        steps = torch.arange(count, dtype=torch.float32, device="cpu")
        self.bands = nn.Parameter(torch.empty(count).copy_(10000 ** (-steps / count)))


class _FinalLinear(nn.Module):
    def __init__(self, size: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, out_features, bias=False, dtype=torch.float32)


class _Blocks(nn.Module):
    def __init__(self, config: ModelConfig, dtype: torch.dtype, fp8: bool) -> None:
        super().__init__()
        last = config.num_layers - 1
        self.layers = nn.ModuleList(
            TransformerBlock(config, dtype, fp8 and 0 < index < last)
            for index in range(config.num_layers)
        )
        self.final_layernorm = LayerNorm1p(
            config.hidden_size, config.layernorm_epsilon, torch.float32
        )


def _by_parts(apply: Callable[[Tensor], Tensor], source: Tensor, parts: Sequence[Part]) -> Tensor:
    """``apply`` to each part of (N, S, ...), the results put together again."""
    if len(parts) == 1:
        return apply(source)
    results = [apply(source[part.rows]) for part in parts[:1]]
    whole = results[0].new_empty((*source.shape[:2], *results[0].shape[2:]))
    whole[parts[0].rows] = results.pop()
    for part in parts[1:]:
        whole[part.rows] = apply(source[part.rows])
    return whole
