"""A dry run at full size: random weights in the official layout, from files to one chunk in an MP4.

``python -m tests.bench.full_size`` needs a graphics card of 40 GB, 45 GB of disk and 40 GB of
memory; ``--small`` runs the same on the CPU with a tiny model. Seconds and the peaks of memory of
each stage are printed and, with ``--results``, written as JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.resources import resource_path
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.events import ChunkReady, Failed, Finished, StageStarted
from magi_engine.runtime.preflight import estimate
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange, SamplingOverrides
from magi_engine.weights.convert_text import convert_text_encoder
from magi_engine.weights.shards import SafetensorsShard
from magi_engine.weights.text_encoder import load_text_encoder

PROMPT = "A lighthouse on a cliff at dusk, waves breaking on the rocks below, slow camera."
_T5_XXL: dict[str, Any] = {
    "d_model": 4096,
    "d_ff": 10240,
    "d_kv": 64,
    "num_heads": 64,
    "num_layers": 24,
    "vocab_size": 32128,
}
_T5_SMALL: dict[str, Any] = {
    "d_model": 64,
    "d_ff": 128,
    "d_kv": 16,
    "num_heads": 4,
    "num_layers": 2,
    "vocab_size": 320,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--results", type=Path)
    args = parser.parse_args()
    device = torch.device("cpu" if args.small else "cuda")
    folder = Path(tempfile.mkdtemp(prefix="full-size-"))
    rows: list[dict[str, Any]] = []
    try:
        _run(folder, device, args.small, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        print(_table(rows))
        if args.results is not None:
            args.results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _run(folder: Path, device: torch.device, small: bool, rows: list[dict[str, Any]]) -> None:
    with _Stage("write the checkpoints", device, rows):
        config_path = _write(folder, device, small)
    transformer = next((folder / "ckpt").glob("dit/inference_weight*/model.safetensors"))
    with _Stage("read the transformer's file, nothing else", device, rows):
        shard = SafetensorsShard(transformer)
        tensors = dict(shard.tensors(shard.infos(), device))
        _finish(device)
    del tensors
    with _Stage("load the text encoder, as it is", device, rows):
        encoder = load_text_encoder(folder / "ckpt/t5", device)
        _finish(device)
    for name in ("encode the first prompt", "encode another prompt"):
        with _Stage(name, device, rows):
            encoder.encode(f"{name}: {PROMPT}")
    encoder.close()
    del encoder
    small_encoder = folder / "small-t5"
    with _Stage("convert the text encoder to 8 bits", device, rows):
        for _fraction in convert_text_encoder(folder / "ckpt/t5", small_encoder, "0" * 64):
            pass
    for streamed in (False, True):
        how = "8 bits, streamed" if streamed else "8 bits"
        with _Stage(f"load the text encoder, {how}", device, rows):
            encoder = load_text_encoder(small_encoder, device, streamed=streamed)
            _finish(device)
        for name in ("encode the first prompt", "encode another prompt"):
            with _Stage(f"{name}, {how}", device, rows):
                encoder.encode(f"{name}: {PROMPT}")
        encoder.close()
        del encoder

    engine = Engine(cache_dir=folder / "cache")
    side = 64 if small else 720
    request = GenerationRequest(
        mode=Mode.T2V,
        model="full-size",
        config_path=str(config_path),
        width=side,
        height=side,
        num_frames=24,
        prompts=(PromptChange(0, PROMPT),),
        sampling=SamplingOverrides(num_steps=16, window_size=1),
        device=device.type,
    )
    predicted = estimate(request, engine.machine(), cache_dir=folder / "cache")
    rows.append(
        {
            "stage": "predicted for one chunk",
            "seconds": predicted.seconds,
            "rss_gb": predicted.ram_bytes / 1e9,
            "vram_gb": (predicted.vram_bytes or 0) / 1e9,
        }
    )
    for count in (1, 2):
        output = str(folder / f"out-{count}.mp4")
        _generate(engine, request, output, f"generation {count}", device, rows)
    predicted = estimate(request, engine.machine(), cache_dir=folder / "cache")
    rows.append({"stage": "predicted after them", "seconds": predicted.seconds})


def _generate(
    engine: Engine,
    request: GenerationRequest,
    output: str,
    title: str,
    device: torch.device,
    rows: list[dict[str, Any]],
) -> None:
    import dataclasses

    stage: _Stage | None = None
    for event in engine.generate(dataclasses.replace(request, output=output)):
        if isinstance(event, StageStarted | ChunkReady) and stage is not None:
            _finish(device)
            stage.__exit__(None, None, None)
            stage = None
        if isinstance(event, StageStarted):
            stage = _Stage(f"{title}: {event.stage.value}", device, rows)
            stage.__enter__()
        elif isinstance(event, ChunkReady):
            print("mean colour", event.frames.mean(), "spread", event.frames.std())
        elif isinstance(event, Failed):
            raise event.error
        elif isinstance(event, Finished):
            rows.append({"stage": f"{title}: all", "seconds": event.elapsed_s})
            print(event.path, Path(output).stat().st_size, "bytes")


class _Stage:
    """Times a part of the run and watches its memory."""

    def __init__(self, name: str, device: torch.device, rows: list[dict[str, Any]]) -> None:
        self._name, self._device, self._rows = name, device, rows
        self._over = threading.Event()
        self._rss = 0
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self._watcher.start()
        self._begun = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        seconds = time.perf_counter() - self._begun
        self._over.set()
        self._watcher.join()
        row: dict[str, Any] = {
            "stage": self._name,
            "seconds": round(seconds, 3),
            "rss_gb": round(self._rss / 1e9, 2),
        }
        if self._device.type == "cuda":
            row["vram_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        self._rows.append(row)
        print(row, flush=True)

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            memory = process.memory_info()
            # Mapped files are the page cache's, not ours.
            self._rss = max(self._rss, memory.rss - getattr(memory, "shared", 0))
            if self._over.wait(0.02):
                return


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


# ---- the files


def _write(folder: Path, device: torch.device, small: bool) -> Path:
    """The whole model below ``folder``; its configuration file."""
    source = "4.5B_distill_quant_config.json"
    data = json.loads(resource_path("configs", source).read_text(encoding="utf-8"))
    t5 = _T5_SMALL if small else _T5_XXL
    vae = VaeConfig(embed_dim=256, depth=1, num_heads=4) if small else VaeConfig()
    if small:
        data["model_config"].update(
            num_layers=3,
            hidden_size=256,
            ffn_hidden_size=512,
            num_attention_heads=8,
            num_query_groups=4,
            kv_channels=32,
        )
    data["model_config"]["caption_channels"] = t5["d_model"]
    places = {"load": "ckpt/dit", "t5_pretrained": "ckpt/t5", "vae_pretrained": "ckpt/vae"}
    data["runtime_config"].update({k: str(folder / v) for k, v in places.items()})
    path = folder / "config.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    config = MagiConfig.from_json(path)

    weights = folder / "ckpt/dit/inference_weight.fp8.distill"
    weights.mkdir(parents=True)
    with torch.device("meta"):
        dit = VideoDiT(config.model_config, fp8=True)
    save_file(dict(_random(dit, device)), weights / "model.safetensors")
    _write_vae(folder / "ckpt/vae", vae, device)
    _write_t5(folder / "ckpt/t5", t5, device)
    _write_special_tokens(folder / "special_tokens.npz", t5["d_model"])
    return path


def _random(module: nn.Module, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Weights with which activations neither vanish nor overflow, on the CPU."""
    torch.manual_seed(0)
    for name, meta in module.state_dict().items():
        fan_in = meta.shape[-1] if meta.dim() > 1 else 1
        if name.endswith("weight_scale"):
            value = torch.full(meta.shape, 0.02)
        elif name.endswith("scale"):
            value = torch.ones(meta.shape)
        elif name.endswith("rope.bands"):
            value = 10000 ** (-torch.arange(len(meta)) / len(meta))
        elif meta.dim() < 2:
            plain_norm = name.endswith(("layer_norm.weight", "norm.weight", "norm2.weight"))
            value = torch.full(meta.shape, float(plain_norm and "post_norm" not in name))
        else:
            value = torch.randn(meta.shape, device=device)
            value *= 1.0 if meta.dtype is torch.float8_e4m3fn else fan_in**-0.5
        yield name, value.to(meta.dtype).cpu().contiguous()


def _write_vae(folder: Path, config: VaeConfig, device: torch.device) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    with torch.device("meta"):
        vae = ViTVAE(config)
    save_file(dict(_random(vae, device)), folder / "diffusion_pytorch_model.safetensors")


def _write_t5(folder: Path, shape: dict[str, Any], device: torch.device) -> None:
    """Two float32 pickles and an index, as the release has them."""
    folder.mkdir(parents=True)
    config = T5Config(**shape, feed_forward_proj="gated-gelu")
    (folder / "config.json").write_text(config.to_json_string(use_diff=False), encoding="utf-8")
    shutil.copy(resource_path("pocket", "t5", "spiece.model"), folder)
    with torch.device("meta"):
        model = T5EncoderModel(config)
    tensors = dict(_random(model, device))
    names = list(tensors)
    weight_map: dict[str, str] = {}
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        file = f"pytorch_model-0000{number}-of-00002.bin"
        torch.save({name: tensors.pop(name) for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")


def _write_special_tokens(path: Path, width: int) -> None:
    generator = np.random.default_rng(0)
    with np.load(resource_path("pocket", "special_tokens.npz")) as like:
        arrays = {
            name: generator.standard_normal((*like[name].shape[:-1], width)) for name in like.files
        }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| stage | seconds | host memory, GB | graphics memory, GB |", "|---|---|---|---|"]
    for row in rows:
        cells = [row["stage"]]
        for name in ("seconds", "rss_gb", "vram_gb"):
            cells.append(f"{row[name]:.2f}" if row.get(name) is not None else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
