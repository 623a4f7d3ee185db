"""What loading a model really takes of the host's memory, against what the plan says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import OutOfMemoryError
from magi_engine.messages import Message
from magi_engine.model.dit import VideoDiT
from magi_engine.resources import resource_path
from magi_engine.runtime.models import memory as memory_module
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning import placement as plans
from magi_engine.runtime.planning.placement import Placement, Sizes, place
from magi_engine.weights.layout import find_model
from tests.engine.conftest import write_random_model

LAYERS = 10
DIT = ModelConfig(LAYERS, 512, 2048, 8, 4, 64, params_dtype="torch.float32", caption_channels=16)
VAE = VaeConfig(embed_dim=32, depth=1, num_heads=2, ln_in_attn=False, use_final_proj=True)
GB = 10**9


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory, dtype: torch.dtype) -> Path:
    """A model of 10 layers with 15 MB each in float32, stored as it computes."""
    dit = dataclasses.replace(DIT, params_dtype=str(dtype))
    return write_random_model(tmp_path_factory.mktemp("layers"), dit, VAE)


def sizes(name: str) -> Sizes:
    config = MagiConfig.from_json(resource_path("configs", f"{name}_config.json"))
    return Sizes.of(config, VaeConfig(), 4, 0, 2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory")
def test_the_plan_says_what_loading_takes(config_path: Path, dtype: torch.dtype) -> None:
    """Offloaded layers are in memory once, and one of them twice."""
    config = MagiConfig.from_json(config_path)
    wanted = Sizes.of(config, VAE, 1, 0, dtype.itemsize, True)
    way = plans._counted(wanted, Placement(0, 0, tuple(range(LAYERS))))
    planned = way.host_bytes - plans._CUDA_PROCESS_BYTES - wanted.vae_weights // 2
    name = str(dtype).removeprefix("torch.")
    command = [sys.executable, "-m", "tests.engine.weights.loading_peak"]
    found = subprocess.run(
        [*command, str(config_path), name, str(LAYERS)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, offloaded = map(int, found.stdout.split())
    assert offloaded == pytest.approx(sum(wanted.dit.layers), rel=0.01)
    assert offloaded < peak < 1.05 * planned


def test_a_processor_without_the_room_is_told_before_minutes_of_loading(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    free = SimpleNamespace(available=50_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(OutOfMemoryError, match="The model needs"):
        LoadedModel(find_model(config_path), torch.device("cpu"), dtype).load_dit()


@pytest.mark.parametrize(
    ("name", "card_gb", "host_gb"), [("24B_base", 47, 30), ("4.5B_distill", 11, 8)]
)
def test_what_the_plan_promises_can_be_loaded(
    name: str, card_gb: int, host_gb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full-size model itself, on the meta device, against the room the plan was given."""
    wanted = sizes(name)
    way = place(wanted, card_gb * GB, host_gb * GB)[0]
    assert way.offloaded_layers
    assert way.device_bytes <= card_gb * GB
    assert way.host_bytes <= host_gb * GB
    with torch.device("meta"):
        dit = VideoDiT(wanted.config.model_config, wanted.config.engine_config.fp8_quant)
    total = sum(tensor.nbytes for tensor in dit.state_dict().values())
    assert total > host_gb * GB, "all of it would not"
    held = plans._CUDA_PROCESS_BYTES + wanted.vae_weights // 2
    free = SimpleNamespace(available=host_gb * GB - held)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    prefixes = tuple(f"videodit_blocks.layers.{i}." for i in way.offloaded_layers)
    memory_module.require_room(
        dit, Message("The model"), lambda tensor: tensor.startswith(prefixes)
    )
