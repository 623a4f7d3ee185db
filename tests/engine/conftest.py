"""Small real models for the engine's tests, and the measure of error the goldens use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT

MakeDit = Callable[..., VideoDiT]
RelativeError = Callable[[Tensor, Tensor], float]


@pytest.fixture(scope="session")
def relative_error() -> RelativeError:
    """Relative L2 distance of two tensors of one shape; a wrong shape is an error of its own."""

    def measure(actual: Tensor, expected: Tensor) -> float:
        assert actual.shape == expected.shape
        difference = actual.double() - expected.double()
        return (difference.norm() / expected.double().norm()).item()

    return measure


@pytest.fixture(scope="session")
def make_dit() -> MakeDit:
    """Builds a tiny transformer with every parameter random; keywords go to its ModelConfig."""

    def make(seed: int = 0, fp8: bool = False, **overrides: object) -> VideoDiT:
        shape: dict[str, object] = {
            "num_layers": 2,
            "hidden_size": 64,
            "ffn_hidden_size": 96,
            "num_attention_heads": 8,
            "num_query_groups": 4,
            "kv_channels": 8,
            "params_dtype": "torch.float32",
            "caption_channels": 16,
            "caption_max_length": 60,
        }
        model = VideoDiT(ModelConfig(**(shape | overrides)), fp8=fp8)  # type: ignore[arg-type]
        return fill_with_noise(model, seed)

    return make


def fill_with_noise(model: VideoDiT, seed: int) -> VideoDiT:
    """Nothing stays zero or one, so that no part of the model can be left out unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "rope.bands":
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 10
            parameter.copy_(noise * fan_in**-0.5)
    return nn.Module.eval(model)  # type: ignore[return-value]


@pytest.fixture(scope="session")
def tiny_model_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration file of a whole tiny random model in the official layout, distilled.

    48x32 pixels, two chunks, 4 steps in a window of 2; do not change its folder.
    """
    vae = VaeConfig(
        video_size=32,
        video_length=12,
        embed_dim=32,
        depth=1,
        num_heads=2,
        mlp_ratio=2.0,
        ln_in_attn=False,
        use_final_proj=True,
    )
    return write_random_model(tmp_path_factory.mktemp("tiny"), _TINY_DIT, vae)


def write_random_model(root: Path, dit_config: ModelConfig, vae_config: VaeConfig) -> Path:
    """Write a whole random model, 48x32 pixels and 4 steps; returns its configuration file."""
    from magi_engine.config.official import EngineConfig, MagiConfig, RuntimeConfig
    from magi_engine.model.vae import ViTVAE
    from magi_engine.training.tokenizer import (
        make_tiny_t5,
        save_t5,
        tiny_t5_config,
        train_tokenizer,
    )

    width = dit_config.caption_channels
    dit = fill_with_noise(VideoDiT(dit_config), seed=3)
    weights = root / "dit" / "inference_weight.distill" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    save_file(dit.state_dict(), weights)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        vae = ViTVAE(vae_config)
        for name in ("encoder", "decoder"):
            nn.init.normal_(getattr(vae, name).pos_embed, std=0.5)
    (root / "vae").mkdir()
    (root / "vae" / "config.json").write_text(json.dumps(vae_config.to_dict()))
    save_file(vae.state_dict(), root / "vae" / "diffusion_pytorch_model.safetensors")

    corpus = ["a red circle moves left", "a blue square moves up", "two green stars spin"]
    vocab_size = train_tokenizer(corpus, root / "t5", vocab_size=220)
    t5_config = tiny_t5_config(vocab_size, d_model=width, layers=1, heads=2, d_ff=32)
    save_t5(make_tiny_t5(t5_config, seed=5), root / "t5")

    random = np.random.RandomState(6)
    tables = {"caption_token": 1, "logo_token": 1, "other_tokens": 20}
    arrays = {name: random.randn(rows, width) for name, rows in tables.items()}
    np.savez(root / "special_tokens.npz", **arrays)  # type: ignore[arg-type]

    runtime = RuntimeConfig(
        num_steps=4,
        window_size=2,
        noise2clean_kvrange=[3, 2],
        num_frames=48,
        video_size_w=48,
        video_size_h=32,
        load="dit",
        t5_pretrained="t5",
        vae_pretrained="vae",
    )
    config = MagiConfig(dit_config, runtime, EngineConfig(distill=True))
    path = root / "tiny_config.json"
    path.write_text(json.dumps(config.to_dict()))
    return path


_TINY_DIT = ModelConfig(
    num_layers=2,
    hidden_size=64,
    ffn_hidden_size=96,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=8,
    params_dtype="torch.float32",
    caption_channels=16,
)
