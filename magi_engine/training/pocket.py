"""What the pocket model is: its sizes, its files, and how they are saved.

The folder has the official layout; see ``resources/pocket/README.md`` for what was trained.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from magi_engine.config.official import EngineConfig, MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.config.vae import VaeConfig

CHUNK_WIDTH = 6
CHUNK_FRAMES = 24
SIZE = 128
CAPTION_CHANNELS = 128
SCALE_FACTOR = 0.18215

VAE = VaeConfig(
    video_size=SIZE,
    video_length=12,
    embed_dim=192,
    depth=4,
    num_heads=6,
    mlp_ratio=4.0,
    ln_in_attn=False,
    use_final_proj=True,
)

MODEL = ModelConfig(
    num_layers=8,
    hidden_size=320,
    ffn_hidden_size=1280,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=40,
    params_dtype="torch.float32",
    caption_channels=CAPTION_CHANNELS,
)

DIT_FILE = "dit/inference_weight.distill/model.safetensors.zst"
VAE_DIR = "vae"
T5_DIR = "t5"
SPECIAL_TOKENS_FILE = "special_tokens.npz"

BASE_RUNTIME = RuntimeConfig(
    load=str(PurePosixPath(DIT_FILE).parent),
    t5_pretrained=T5_DIR,
    vae_pretrained=VAE_DIR,
    cfg_number=3,
    cfg_t_range=[0.0, 0.0217, 0.1, 0.3, 0.999],
    prev_chunk_scales=[1.0, 1.0, 1.0, 1.0, 1.0],
    text_scales=[4.0, 4.0, 4.0, 2.0, 1.0],
    num_steps=16,
    window_size=1,
    num_frames=96,
    video_size_h=SIZE,
    video_size_w=SIZE,
    scale_factor=SCALE_FACTOR,
)
BASE = MagiConfig(MODEL, BASE_RUNTIME, EngineConfig())
DISTILLED = MagiConfig(
    MODEL,
    dataclasses.replace(BASE_RUNTIME, cfg_number=1),
    EngineConfig(distill=True),
)
"""What ``pocket`` is; ``pocket-base`` runs the same weights as :data:`BASE`, without step codes."""

QUANTISED = MagiConfig(
    MODEL,
    dataclasses.replace(DISTILLED.runtime_config, load=""),  # made on the user's machine
    dataclasses.replace(DISTILLED.engine_config, fp8_quant=True),
)


def write_json(path: Path, content: object) -> None:
    """Write indented JSON, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def save_vae(vae: nn.Module, root: Path) -> None:
    """Save a ViTVAE in bf16 in the official layout."""
    write_json(root / VAE_DIR / "config.json", VAE.to_dict())
    save_file(_as_bf16(vae.state_dict()), root / VAE_DIR / "diffusion_pytorch_model.safetensors")


def save_dit(state: dict[str, Tensor], root: Path) -> None:
    """Save the transformer: matrices in bf16, the rest in float32, in a zstd-compressed shard."""
    import zstandard

    path = root / DIT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    compressor = zstandard.ZstdCompressor(level=12)
    path.write_bytes(compressor.compress(save(_as_bf16(state))))


def save_configs(root: Path) -> None:
    """The official configuration files of both variants and of the fp8 form."""
    write_json(root / "pocket_config.json", DISTILLED.to_dict())
    write_json(root / "pocket_base_config.json", BASE.to_dict())
    write_json(root / "pocket_fp8_config.json", QUANTISED.to_dict())


def save_special_tokens(root: Path, seed: int = 7) -> None:
    """Random unit-variance special tokens in the official structure; the DiT learns their sense.

    float64 in the file as in the release, but only float16 is ever used.
    """
    random = np.random.RandomState(seed)
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        root / SPECIAL_TOKENS_FILE,
        caption_token=random.randn(1, CAPTION_CHANNELS).astype(np.float16).astype(np.float64),
        logo_token=random.randn(1, CAPTION_CHANNELS).astype(np.float16).astype(np.float64),
        other_tokens=random.randn(20, CAPTION_CHANNELS).astype(np.float16).astype(np.float64),
    )


def _as_bf16(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices to bf16; vectors (biases, norms) cost nothing and stay exact."""
    return {
        name: (t.to(torch.bfloat16) if t.dim() > 1 else t.float()).contiguous().cpu()
        for name, t in state.items()
    }


def rounded_like_saved(module: nn.Module) -> None:
    """Round a module's weights in place to what saving keeps of them."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.copy_(parameter.to(torch.bfloat16).float())
