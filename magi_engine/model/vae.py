"""The video autoencoder of MAGI-1, a transformer on both sides (spec section 5)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from magi_engine.config.sizes import TILES_AT_ONCE
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.ops.attention import Attention, attention
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.mesh import ALONE, Mesh

_EPS = 1e-5
_FRAMES_AT_ONCE = 6


class ViTVAE(nn.Module):
    """Encoder and decoder; parameter names are the checkpoint's.

    The model's compression is 8 x 8 in space and 4 in time, into ``z_chans`` channels.
    """

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ViTEncoder(config)
        self.decoder = ViTDecoder(config)
        self.tiles_at_once = TILES_AT_ONCE
        self.mesh: Mesh = ALONE
        """Who decodes tiles together; all of them are given the same."""

    def speed_up(self, kernels: Kernels, attention: Attention = attention) -> None:
        """Use other kernels; for inference: the weights stay as they are."""
        self.encoder.known_positions, self.decoder.known_positions = {}, {}
        for module in self.modules():
            if isinstance(module, _Attention):
                module.attention = attention
            if isinstance(module, _Attention | _Mlp):
                module.kernels = kernels

    def encode(self, video: Tensor, tile: Tile | None = None) -> Tensor:
        """Mean latents of a video, not yet multiplied by the scale factor.

        Args:
            video: (N, 3, T, H, W) in [-1, 1]; T a multiple of 4, H and W of 8.
                A single frame (T = 1) is an image: it is repeated to fill one latent frame.
            tile: pieces to work in; None = all at once.

        Returns:
            (N, z_chans, T/4, H/8, W/8).
        """
        config = self.config
        if video.shape[2] == 1:
            video = video.expand(-1, -1, config.patch_length, -1, -1)
        if tile is None:
            return self._encode_piece(video)
        pieces = [
            _tiled(
                part,
                self._encode_batches,
                size=tile.size,
                stride=int(tile.size * (1 - tile.overlap)),
                blend=int(tile.size // config.patch_size * tile.overlap),
                scale=(1, config.patch_size),
                against_blended=True,
                at_once=self.tiles_at_once,
            )
            for part in video.split(tile.frames, dim=2)
        ]
        return torch.cat(pieces, dim=2)

    def decode(self, latents: Tensor, tile: Tile | None = None) -> Tensor:
        """Pixels of (N, z_chans, T, h, w) latents: (N, 3, 4T, 8h, 8w), about [-1, 1].

        Where tiles are decoded in a mesh, a process that does not lead gets no frames.
        """
        config = self.config
        if tile is None:
            return self.decoder(latents)
        size = tile.size // config.patch_size
        # Pieces of one length do not touch each other: they go as one batch.
        length = tile.frames // config.patch_length
        whole = latents.shape[2] // length * length
        pieces = []
        for part, frames in ((latents[:, :, :whole], length), (latents[:, :, whole:], None)):
            if part.shape[2] == 0:
                continue
            rows = part.unflatten(2, (-1, frames or part.shape[2])).transpose(1, 2)
            decoded = _tiled(
                rows.flatten(0, 1),
                self._decode_batches,
                size=size,
                stride=int(size * (1 - tile.overlap)),
                blend=int(tile.size * tile.overlap),
                scale=(config.patch_size, 1),
                against_blended=False,
                at_once=self.tiles_at_once,
            )
            pieces.append(decoded.unflatten(0, rows.shape[:2]).transpose(1, 2).flatten(2, 3))
        return torch.cat(pieces, dim=2)

    def _encode_batches(self, batches: list[list[Tensor]]) -> list[Tensor]:
        return [self._encode_piece(torch.cat(tiles)) for tiles in batches]

    def _decode_batches(self, batches: list[list[Tensor]]) -> list[Tensor]:
        config, shapes, costs = self.config, [], []
        for tiles in batches:
            count, _, t, h, w = tiles[0].shape
            sides = t * config.patch_length, h * config.patch_size, w * config.patch_size
            shapes.append(torch.Size((len(tiles) * count, config.in_chans, *sides)))
            costs.append(float(shapes[-1].numel()))
        return self.mesh.divided(
            shapes, costs, lambda batch: self.decoder(torch.cat(batches[batch])), batches[0][0]
        )

    def _encode_piece(self, video: Tensor) -> Tensor:
        mean, _ = self.encoder(video).chunk(2, dim=1)
        return mean


def _tiled(
    x: Tensor,
    apply: Callable[[list[list[Tensor]]], list[Tensor]],
    *,
    size: int,
    stride: int,
    blend: int,
    scale: tuple[int, int],
    against_blended: bool,
    at_once: int,
) -> Tensor:
    """``apply`` to overlapping squares of ``x`` and blend the results linearly.

    Args:
        x: (N, C, T, H, W).
        apply: is given all squares, in batches of one shape; for each of these a result. Or
            nothing at all, which is what comes out then: no frames.
        size, stride: of the squares, in units of ``x``.
        blend: width of the blended border, in units of the result.
        scale: result size over input size, as a fraction.
        against_blended: whether a piece is blended with its neighbour as blended already
            (the release's encoder) or as it came out (its decoder).
        at_once: how many squares there are in a batch.
    """
    kept = stride * scale[0] // scale[1]
    height, width = x.shape[3] * scale[0] // scale[1], x.shape[4] * scale[0] // scale[1]
    rows: list[Tensor] = []
    above: list[Tensor] = []
    lefts = range(0, x.shape[4], stride)
    crops = [
        x[:, :, :, top : top + size, left : left + size]
        for top in range(0, x.shape[3], stride)
        for left in lefts
    ]
    results = _in_batches(apply, crops, at_once)
    if not results:
        return x[:, :, :0]
    for first in range(0, len(results), len(lefts)):
        raw = results[first : first + len(lefts)]
        row: list[Tensor] = []
        for column, piece in enumerate(raw):
            piece = piece.clone()
            if above:
                _blend(above[column], piece, blend, dim=3)
            if column:
                _blend((row if against_blended else raw)[column - 1], piece, blend, dim=4)
            row.append(piece)
        rows.append(torch.cat([piece[..., :kept, :kept] for piece in row], dim=4))
        above = row if against_blended else raw
    return torch.cat(rows, dim=3)[..., :height, :width]


def _in_batches(
    apply: Callable[[list[list[Tensor]]], list[Tensor]], inputs: list[Tensor], at_once: int
) -> list[Tensor]:
    """``apply`` to the inputs (N, ...), those of one shape together; nothing if it gives none."""
    by_shape: dict[torch.Size, list[int]] = {}
    for index, x in enumerate(inputs):
        by_shape.setdefault(x.shape, []).append(index)
    batches: list[list[int]] = []
    for shape, indices in by_shape.items():
        count = max(1, at_once // shape[0])
        batches += [indices[first : first + count] for first in range(0, len(indices), count)]
    outputs = apply([[inputs[index] for index in batch] for batch in batches])
    results: dict[int, Tensor] = {}
    for batch, output in zip(batches, outputs, strict=bool(outputs)):
        results.update(zip(batch, output.split(len(inputs[batch[0]])), strict=True))
    return [results[index] for index in sorted(results)]


def _blend(before: Tensor, piece: Tensor, extent: int, dim: int) -> None:
    """Fade from the end of ``before`` into the start of ``piece``, in place."""
    extent = min(before.shape[dim], piece.shape[dim], extent)
    if extent == 0:
        return
    shape = [1] * piece.dim()
    shape[dim] = extent
    ramp = (torch.arange(extent, device=piece.device, dtype=piece.dtype) / extent).view(shape)
    tail = before.narrow(dim, before.shape[dim] - extent, extent)
    head = piece.narrow(dim, 0, extent)
    head.copy_(tail * (1 - ramp) + head * ramp)


class _PositionedTokens(nn.Module):
    """Class token and learned positions, shared by both sides."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.grid = config.grid
        size, frames = config.embed_dim, config.grid
        positions = frames[0] * frames[1] * frames[2]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + positions, size))
        self.blocks = nn.ModuleList(ViTBlock(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(size, eps=_EPS)
        self.known_positions: dict[object, Tensor] | None = None
        """Those of grids there have been; None: weights may change."""

    def run(self, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """(N, T*H*W, D) -> the same, through all blocks; the class token comes and goes."""
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        x = x + self._positions(grid)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def _positions(self, grid: tuple[int, int, int]) -> Tensor:
        if grid == self.grid:
            return self.pos_embed
        if self.known_positions is None:
            return self._interpolated(grid)
        # The encoder is moved to the device whenever it works.
        key = grid, self.pos_embed.device, self.pos_embed.dtype
        if key not in self.known_positions:
            self.known_positions[key] = self._interpolated(grid)
        return self.known_positions[key]

    def _interpolated(self, grid: tuple[int, int, int]) -> Tensor:
        cls, patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        t, h, w = self.grid
        patches = rearrange(patches, "n (t h w) d -> n d t h w", t=t, h=h, w=w)
        patches = F.interpolate(patches.float(), size=grid, mode="trilinear", align_corners=False)
        return torch.cat([cls, patches.flatten(2).transpose(1, 2).to(cls)], dim=1)


class ViTEncoder(_PositionedTokens):
    """(N, 3, T, H, W) -> mean and log-variance (N, 2 * z_chans, T/4, H/8, W/8)."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config)
        self.patch = (config.patch_length, config.patch_size, config.patch_size)
        self.patch_embed = _PatchEmbed(config)
        self.last_layer = nn.Linear(config.embed_dim, 2 * config.z_chans)

    def forward(self, video: Tensor) -> Tensor:
        grid = tuple(n // p for n, p in zip(video.shape[2:], self.patch, strict=True))
        t, h, w = grid
        x = self.last_layer(self.run(self.patch_embed(video), (t, h, w)))[:, 1:]
        return rearrange(x, "n (t h w) c -> n c t h w", t=t, h=h, w=w)


class _PatchEmbed(nn.Module):
    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        patch = (config.patch_length, config.patch_size, config.patch_size)
        self.patch = patch
        self.proj = nn.Conv3d(config.in_chans, config.embed_dim, kernel_size=patch, stride=patch)

    def forward(self, video: Tensor) -> Tensor:
        # Stride = kernel: a linear layer on patches, which every device runs well.
        pt, ph, pw = self.patch
        x = rearrange(
            video, "n c (t pt) (h ph) (w pw) -> n (t h w) (c pt ph pw)", pt=pt, ph=ph, pw=pw
        )
        return F.linear(x, self.proj.weight.flatten(1), self.proj.bias)


class ViTDecoder(_PositionedTokens):
    """(N, z_chans, T, h, w) -> (N, 3, 4T, 8h, 8w)."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config)
        size = config.embed_dim
        self.patch = (config.patch_length, config.patch_size, config.patch_size)
        self.proj_in = nn.Linear(config.z_chans, size)
        self.final_proj: nn.Module = nn.Identity()
        self.final_norm: nn.Module = nn.Identity()
        channels = config.unpatch_channels
        if config.use_final_proj:
            self.final_proj = nn.Linear(size, channels * config.patch_volume)
            self.final_norm = nn.LayerNorm(channels * config.patch_volume, eps=_EPS)
        self.last_layer = nn.Conv3d(channels, config.in_chans, kernel_size=3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        t, h, w = latents.shape[2:]
        x = self.proj_in(latents.flatten(2).transpose(1, 2))
        x = self.final_norm(self.final_proj(self.run(x, (t, h, w))))[:, 1:]
        pt, ph, pw = self.patch
        x = rearrange(
            x,
            "n (t h w) (pt ph pw c) -> n c (t pt) (h ph) (w pw)",
            t=t,
            h=h,
            w=w,
            pt=pt,
            ph=ph,
            pw=pw,
        )
        assert isinstance(self.last_layer.bias, Tensor)
        return _conv_3x3x3(x, self.last_layer.weight, self.last_layer.bias)


def _conv_3x3x3(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A padded 3x3x3 convolution of (N, C, T, H, W) as one over images, which runs faster.

    Three neighbouring frames side by side are 3 C channels.
    """
    videos = len(x)
    frames = F.pad(x.transpose(1, 2), (0, 0, 0, 0, 0, 0, 1, 1))  # (N, T + 2, C, H, W)
    neighbours = torch.cat([frames[:, :-2], frames[:, 1:-1], frames[:, 2:]], dim=2)
    flat = weight.transpose(1, 2).flatten(1, 2)  # (out, 3 C, 3, 3)
    out = F.conv2d(neighbours.flatten(0, 1), flat, bias, padding=1)
    return out.unflatten(0, (videos, -1)).transpose(1, 2)


class ViTBlock(nn.Module):
    """Pre-norm attention and GELU feed-forward. (N, S, D) -> same."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        size = config.embed_dim
        norm_inside = config.ln_in_attn
        self.norm1 = nn.Identity() if norm_inside else nn.LayerNorm(size, eps=_EPS)
        self.attn = _Attention(size, config.num_heads, config.qkv_bias, norm_inside)
        self.norm2 = nn.LayerNorm(size, eps=_EPS)
        self.mlp = _Mlp(size, int(size * config.mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _Attention(nn.Module):
    def __init__(self, size: int, heads: int, bias: bool, normalise: bool) -> None:
        super().__init__()
        self.heads, self.normalise = heads, normalise
        self.kernels = Kernels()
        self.attention: Attention = attention
        self.qkv = nn.Linear(size, 3 * size, bias=bias)
        self.proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))  # (N, S, 3, heads, head_dim)
        if self.normalise:
            # q, k and also v, per head, without learned parameters.
            qkv = self.kernels.standardise(qkv)
        return self.proj(self.attention(*qkv.unbind(2)).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, size: int, inner: int) -> None:
        super().__init__()
        self.kernels = Kernels()
        self.fc1 = nn.Linear(size, inner)
        self.fc2 = nn.Linear(inner, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.kernels.gelu(self.fc1(x)))


def pixels_of(video: Tensor) -> Tensor:
    """Video (3, T, H, W) from -1 to 1 as frames (T, H, W, 3), uint8, on the same device."""
    pixels = torch.empty((*video.shape[1:], 3), dtype=torch.uint8, device=video.device)
    # A few frames at a time: in float32, all of them take more than anything before.
    pairs = zip(pixels.split(_FRAMES_AT_ONCE), video.split(_FRAMES_AT_ONCE, 1), strict=True)
    for target, source in pairs:
        shades = source.float().add(1).mul_(127.5).round_().clamp_(0, 255)
        target.copy_(shades.permute(1, 2, 3, 0))
    return pixels
