"""Models with random weights: made in a thread while others compute."""

from __future__ import annotations

import torch

from magi_engine.config.official import ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.model.random_weights import random_dit, random_vae


def test_they_are_the_same_each_time_and_leave_the_global_generator_alone() -> None:
    config = ModelConfig(
        num_layers=3,
        hidden_size=32,
        ffn_hidden_size=64,
        num_attention_heads=2,
        num_query_groups=1,
        kv_channels=16,
        caption_channels=16,
    )
    cpu, vae = torch.device("cpu"), VaeConfig(embed_dim=256, depth=1, num_heads=2)
    before = torch.get_rng_state()
    made = [[random_dit(config, cpu), random_vae(vae, cpu, torch.float32)] for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    for first, second in zip(*made, strict=True):
        for name, tensor in first.state_dict().items():
            assert tensor.float().isfinite().all(), name
            assert torch.equal(tensor.float(), second.state_dict()[name].float()), name
