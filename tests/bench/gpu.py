"""The full-size 4.5B distill+fp8 model with random weights on an NVIDIA GPU, beside its floor.

``python -m tests.bench.gpu`` makes weights on the GPU (no files), measures what the machine can do,
runs the scenarios and writes ``results/gpu.json``, keeping what it does not measure this time.
``--parts`` chooses some by their names; ``--device cpu`` runs everything with a tiny model, to see
that it works.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from magi_engine.config.official import EngineConfig, MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.model.dit import VideoDiT
from magi_engine.model.random_weights import random_dit, random_tokens, random_vae
from magi_engine.model.vae import pixels_of
from magi_engine.ops.backends import (
    EXACT,
    FASTEST,
    ChosenAttention,
    attention_for,
    fused_kernels,
)
from magi_engine.ops.fp8 import E4M3, fp8_matmul, has_fp8_matmul
from magi_engine.ops.kernels import Heads, Kernels
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.rope import rotary_angles
from magi_engine.resources import resource_path
from magi_engine.runtime.machine.streams import DeviceEvent, Streams
from magi_engine.runtime.planning.costs import Counted
from magi_engine.runtime.planning.placement import Placement, Sizes, place, placements
from magi_engine.runtime.process.environment import let_memory_be_whole
from magi_engine.runtime.speed.rates import (
    attention_rate,
    copy_rate,
    floor_s,
    layer_weights,
    product_rates,
    seconds_of,
)
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import Forward
from tests.bench.gpu_scenarios import (
    FULL,
    SCENARIOS,
    TINY,
    Outcome,
    Scenario,
    Way,
    settings_of,
)

_RESULTS = Path(__file__).parent / "results" / "gpu.json"
_REPOSITORY = Path(__file__).parent.parent.parent
_CAPTION_TOKENS = 120
_SMALL_CARD_BYTES = 24 * 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parts", nargs="+", help="only these, by name")
    parser.add_argument("--out", type=Path, default=_RESULTS)
    args = parser.parse_args()
    let_memory_be_whole()
    bench = Bench(torch.device(args.device))
    result: dict[str, Any] = {}
    if args.out.is_file():
        result = json.loads(args.out.read_text(encoding="utf-8"))
    result |= {"machine": machine(bench.device), "commit": commit()}
    parts: dict[str, Callable[[], Any]] = {
        "peaks": bench.measure_peaks,
        "kernels": bench.check_kernels,
        "forward": bench.one_forward,
        "vae": bench.vae_decode,
    }
    for scenario in SCENARIOS:
        parts[scenario.name] = lambda scenario=scenario: asdict(bench.run(scenario))
    parts["breakdown"] = bench.breakdown
    parts["24B"] = bench.large_model
    if args.parts is not None:
        parts = {name: parts[name] for name in ("peaks", *args.parts)}
    for name, part in parts.items():
        begin = time.perf_counter()
        try:
            with torch.inference_mode():
                result[name] = part()
        except Exception:  # what one part cannot do says nothing of the others
            result[name] = {"failed": traceback.format_exc(limit=4)}
        print(f"{name} ({time.perf_counter() - begin:.1f} s): {json.dumps(result[name])}")
        result["attention"] = {
            choice: [asdict(timing) for timing in attend.timings]
            for choice, attend in bench.attentions.items()
            if isinstance(attend, ChosenAttention)
        }
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result.get("attention"), indent=None))


class Bench:
    """The models and the rates that were measured of this machine."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"
        self.scale = 1 if self.on_gpu else 16
        self.kernels, reason = fused_kernels(device)
        if reason is not None:  # figures of the plain steps would pass for those of the kernels
            raise SystemExit(f"nothing is measured without the fused kernels: {reason}")
        self.attentions = {choice: attention_for(device, choice) for choice in (EXACT, FASTEST)}
        self.attention = self.attentions[EXACT]
        self.config = FULL if self.on_gpu else TINY
        self.dit = random_dit(self.config, device)
        self.dit.speed_up(self.kernels, self.attention)
        small = VaeConfig(embed_dim=256, depth=1, num_heads=4)
        self.vae = random_vae(
            VaeConfig() if self.on_gpu else small,
            device,
            torch.bfloat16 if self.on_gpu else torch.float32,
        )
        self.vae.speed_up(self.kernels, self.attention)
        self.vae.encoder.to("cpu")  # as the engine does
        self.gemm = 0.0
        self.attention_rates = dict.fromkeys(self.attentions, 0.0)

    # ---- what the machine can do

    def measure_peaks(self) -> dict[str, float]:
        """FLOP/s and bytes/s of the best this machine does on our shapes."""
        n, size = 12150 // self.scale**2, self.config.hidden_size
        inner, bf16 = self.config.ffn_hidden_size, torch.bfloat16
        rates = product_rates(self.config, n, self.device, bf16)
        found = {"bf16_gemm_tflops": rates[bf16] / 1e12}
        self.gemm = rates.get(E4M3, rates[bf16])
        if has_fp8_matmul(self.device):
            found["fp8_gemm_tflops"] = self.gemm / 1e12
            one = torch.ones((), device=self.device)
            x8 = torch.randn(n, size, device=self.device, dtype=bf16).to(E4M3)
            w8 = torch.randn(inner, size, device=self.device, dtype=bf16).to(E4M3)
            # What fast accumulation, which is in use, gains and costs.
            slow = functools.partial(
                torch._scaled_mm,  # pyright: ignore[reportPrivateImportUsage]
                x8, w8.t(), scale_a=one, scale_b=one, out_dtype=bf16,
            )  # fmt: skip
            exact = x8[:64].double() @ w8.t().double()
            exact_rate = 2 * n * size * inner / self._seconds(slow)
            found["fp8_gemm_tflops_exact_sums"] = exact_rate / 1e12
            found["fp8_error_exact_sums"] = _distance(exact, slow()[:64])
            fast = fp8_matmul(x8, w8, one, one, bf16)
            found["fp8_error"] = _distance(exact, fast[:64])
        for chunks in (1, 4):
            for choice, attend in self.attentions.items():
                rate = attention_rate(self.config, n, chunks, self.device, bf16, attend)
                found[f"attention_{choice}_{chunks}_tflops"] = rate / 1e12
                self.attention_rates[choice] = max(self.attention_rates[choice], rate)
        found["copy_tb_s"] = copy_rate((1 << 30) // self.scale**2, self.device) / 1e12
        return found

    def check_kernels(self) -> dict[str, Any]:
        """Each fused kernel beside its plain twin: seconds of both, and how far apart they are."""
        size, inner, width = (
            self.config.hidden_size,
            self.config.ffn_hidden_size,
            self.config.kv_channels,
        )
        length = 6 * 45 * 45 // self.scale
        make = lambda *shape: torch.randn(*shape, device=self.device)  # noqa: E731
        x, u = (make(1, length, size).bfloat16() for _ in range(2))
        wide = make(1, length, 2 * inner).bfloat16()
        q = wide[..., : 2 * size][..., :size].unflatten(-1, (-1, width))
        gate = make(1, 1, size).tanh()
        norm = nn.LayerNorm(size, 1e-6, device=self.device, dtype=torch.bfloat16)
        post, head = (LayerNorm1p(n, 1e-6, torch.float32).to(self.device) for n in (size, width))
        divisor = lambda n: make(n).abs() * 0.02 + 0.02  # noqa: E731
        d1, d2, d3 = divisor(size), divisor(2 * size), divisor(inner)
        bands = 10000 ** (-torch.arange(width // 8, device=self.device) / (width // 8))
        rotary = rotary_angles(bands, [3], 1, 1, length)
        factor = torch.tensor(0.3, device=self.device)
        counts = (self.config.num_attention_heads, self.config.num_query_groups)
        product = make(1, length, 2 * sum(counts) * width).to(x.dtype).unflatten(-1, (-1, width))
        together = Heads(*product.split((counts[0], counts[1], counts[1], counts[0]), dim=2))
        for_captions = LayerNorm1p(width, 1e-6, torch.bfloat16).to(self.device)
        steps: dict[str, Callable[[Kernels], Any]] = {
            "layer_norm_e4m3": lambda k: k.layer_norm(x, norm, d1),
            "layer_norm": lambda k: k.layer_norm(x, norm),
            "head_norm_rotary": lambda k: k.head_norm(q, head, rotary, factor),
            "head_norm": lambda k: k.head_norm(q, head, None),
            "all_heads": lambda k: k.heads(
                together, (head, head, for_captions), rotary, (factor,) * 4, (None,) * 4
            ),
            "join_e4m3": lambda k: k.join(x, u, d2),
            "join": lambda k: k.join(x, u),
            "gelu_e4m3": lambda k: k.gelu(wide[..., :inner].contiguous(), d3),
            "silu_gate_e4m3": lambda k: k.silu_gate(wide, d3),
            "add_gated": lambda k: k.add_gated(x, u, gate, post),
            "add_gated_float32": lambda k: k.add_gated(x, u.float(), gate, post),
            "add_gated_norm_e4m3": lambda k: k.add_gated_and_norm(x, u, gate, post, norm, d1),
            "standardise": lambda k: k.standardise(x.unflatten(-1, (-1, 64))),
        }
        found: dict[str, Any] = {"used": self.kernels.name}
        plain = Kernels()
        for name, step in steps.items():
            try:
                expected, actual = step(plain), step(self.kernels)
                pairs = zip(_tensors(expected), _tensors(actual), strict=True)
                found[name] = {
                    "error": max(_distance(a, b) for a, b in pairs),
                    "plain_ms": 1e3 * self._seconds(lambda step=step: step(plain)),
                    "fused_ms": 1e3 * self._seconds(lambda step=step: step(self.kernels)),
                }
            except Exception:
                found[name] = {"failed": traceback.format_exc(limit=2)}
        return found

    def _seconds(self, call: Callable[[], Any], calls: int = 8) -> float:
        return seconds_of(call, self.device, calls)

    # ---- the models

    def one_forward(self) -> dict[str, Any]:
        """One chunk without history: the fused model against plain PyTorch, and the time."""
        run = self._forward_of(720)
        fast = run()
        seconds = self._seconds(run)
        self._use(Kernels())
        plain = run()
        plain_seconds = self._seconds(run, 2)
        self._use(self.kernels)
        return {
            "error": _distance(plain, fast),
            "fused_s": seconds,
            "plain_s": plain_seconds,
        }

    def _use(self, kernels: Kernels, choice: str = EXACT) -> None:
        self.dit.speed_up(kernels, self.attentions[choice])

    def _forward_of(self, pixels: int, dit: VideoDiT | None = None) -> Callable[[], Tensor]:
        from magi_engine.model.captions import CaptionKeys, KnownCaptions
        from magi_engine.sampling.cache import RollingCache, WindowAttention

        dit = dit or self.dit
        config = dit.config
        side = pixels // 8 // self.scale // 2 * 2
        latents = torch.randn(1, 16, 6, side, side, device=self.device)
        times = torch.full((1, 1), 0.3, device=self.device)
        embedding = torch.randn(_CAPTION_TOKENS, config.caption_channels, device=self.device)
        tokens = 6 * side * side // 4
        cache = RollingCache(config, 0, 1, tokens, self.device, dit.dtype)
        with torch.inference_mode():
            keys = CaptionKeys(dit, embedding)

        @torch.inference_mode()
        def run() -> Tensor:
            return dit(
                latents,
                times,
                KnownCaptions([keys], dit.attention),
                chunk_positions=[0],
                attend=WindowAttention(cache, 0, [(0, 1)], dit.attention),
                step_code=torch.tensor(8.0, device=self.device),
            )

        return run

    @torch.inference_mode()
    def pixels(self, latents: Tensor) -> Tensor:
        """Latents as frames of 8 bits, on the device."""
        video = self.vae.decode((latents / 0.18215).to(self.vae_dtype), Tile.released(24))[0]
        return pixels_of(video)

    @property
    def vae_dtype(self) -> torch.dtype:
        return self.vae.decoder.proj_in.weight.dtype

    def vae_decode(self) -> dict[str, float]:
        """24 frames, pixels on the host included."""
        side = 90 // self.scale
        latents = torch.randn(1, 16, 6, side, side, device=self.device)
        return {"720_s": self._seconds(lambda: self.pixels(latents).cpu(), 4)}

    def breakdown(self) -> dict[str, Any]:
        """Milliseconds of GPU time of one forward by kernel, and of nothing running."""
        if not self.on_gpu:
            return {}
        found: dict[str, Any] = {}
        for pixels in (720, 384):
            run = self._forward_of(pixels)
            run()
            activities = [torch.profiler.ProfilerActivity.CUDA]
            wall = self._seconds(run, 4)
            with torch.profiler.profile(activities=activities) as profile:
                run()
                torch.cuda.synchronize()
            rows = [
                (e.key, e.self_device_time_total / 1e3, e.count) for e in profile.key_averages()
            ]
            rows.sort(key=lambda row: -row[1])
            busy = sum(row[1] for row in rows)
            found[str(pixels)] = {
                "wall_ms": 1e3 * wall,
                "busy_ms": busy,
                "gaps_ms": 1e3 * wall - busy,
                "kernels": [(name[:70], round(ms, 2), count) for name, ms, count in rows[:22]],
            }
        return found

    def large_model(self) -> dict[str, Any]:
        """One chunk through the 24B model on a card of 24 GiB, placed as the memory plan says."""
        del self.dit, self.vae
        if self.on_gpu:
            torch.cuda.empty_cache()
        path = resource_path("configs", "24B_distill_quant_config.json")
        config = MagiConfig.from_json(path).model_config if self.on_gpu else TINY
        scenario = Scenario("24B", 720, 16, 1, 4)
        sizes = self._sizes(scenario, config)
        way, *_ = place(sizes, _SMALL_CARD_BYTES, 100 * 2**30)
        dit = random_dit(config, self.device)
        dit.speed_up(self.kernels, self.attention)
        run = self._forward_of(720, dit)
        found: dict[str, Any] = {}
        tokens = sizes.tokens
        floor = 2 * tokens * layer_weights(config) * config.num_layers / self.gemm
        floor += (
            4 * tokens**2 * config.hidden_size * config.num_layers / self.attention_rates[EXACT]
        )
        found["floor_s"] = floor
        found["resident_s"] = self._seconds(run, 4)
        expected = run()
        for offloaded in (way.offloaded_layers, tuple(range(config.num_layers))):
            begin = time.perf_counter()
            dit.offload(offloaded)
            dit.part_tokens = way.part_tokens
            settled = time.perf_counter() - begin
            if self.on_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                total = torch.cuda.get_device_properties(self.device).total_memory
                torch.cuda.set_per_process_memory_fraction(_SMALL_CARD_BYTES / total)
            seconds = self._seconds(run, 4)
            peak = torch.cuda.max_memory_allocated() if self.on_gpu else 0
            found[f"{len(offloaded)} of {config.num_layers} layers offloaded"] = {
                "seconds": seconds,
                "ratio_to_floor": seconds / floor,
                "peak_vram_gib": peak / 2**30,
                "settling_s": settled,
                "error": _distance(expected, run()),
            }
            print(json.dumps(found), flush=True)
            if self.on_gpu:
                torch.cuda.set_per_process_memory_fraction(1.0)
        return found

    def _sizes(self, scenario: Scenario, model: ModelConfig) -> Sizes:
        pixels = scenario.pixels // self.scale
        runtime = RuntimeConfig(
            num_steps=scenario.steps,
            window_size=scenario.window,
            video_size_h=pixels,
            video_size_w=pixels,
            noise2clean_kvrange=[5, 4, 3, 2],
            clean_chunk_kvrange=1,
        )
        config = MagiConfig(model, runtime, EngineConfig(distill=True, fp8_quant=True))
        vae = VaeConfig()
        return Sizes.of(config, vae, scenario.chunks, 0, 2, on_card=True)

    def _place(self, scenario: Scenario) -> Placement:
        """Arrange the models for a scenario."""
        ways = list(placements(self._sizes(scenario, self.config)))
        fits = {
            Way.RESIDENT: lambda way: not (way.offloaded_layers or way.cache_on_host),
            Way.HISTORY_ON_HOST: lambda way: way.cache_on_host,
            Way.STREAMED: lambda way: len(way.offloaded_layers) == self.config.num_layers,
        }
        way = next(way for way in ways if fits[scenario.way](way))
        self.dit.part_tokens = way.part_tokens
        self.dit.offload(way.offloaded_layers)
        self.vae.tiles_at_once = way.tiles_at_once
        return way

    def run(self, scenario: Scenario) -> Outcome:
        """One video, after a shorter one that warms up kernels and choices."""
        side = scenario.pixels // 8 // self.scale // 2 * 2
        way = self._place(scenario)
        self._use(self.kernels, scenario.attention)
        traces: list[Forward] = []
        if scenario.way is Way.RESIDENT:
            for _ in self._chunks(dataclasses.replace(scenario, chunks=1, steps=8), side, [], way):
                pass
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        streams = Streams(self.device)
        begun: list[DeviceEvent] = []
        done: list[DeviceEvent] = []
        held: list[tuple[float, float]] = []
        in_use: deque[tuple[Tensor, Tensor]] = deque(maxlen=3)  # what the card still works with
        begin = time.perf_counter()
        first_s = 0.0
        made = itertools.islice(self._chunks(scenario, side, traces, way), scenario.made)
        for latents in made:
            # As a job does it: chunks are decoded beside the next ones, but for the first.
            beside = scenario.vae and way.decodes_beside and bool(done)
            with streams.side() if beside else contextlib.nullcontext():
                begun.append(streams.record())
                if scenario.vae:
                    in_use.append((latents, streams.to_host(self.pixels(latents))))
                done.append(streams.record())
            if len(done) == 1:
                done[0].wait()
                first_s = time.perf_counter() - begin
            held.append(self._held_gib())
        done[-1].wait()
        total = time.perf_counter() - begin
        times = [first_s, *(b.seconds_since(a) for a, b in itertools.pairwise(done))]
        decoding = [b.seconds_since(a) for a, b in zip(begun, done, strict=True)]
        # While the window fills and empties, a chunk costs something else.
        full = times[scenario.window : len(times) - scenario.window + 1]
        steady = statistics.median(full) if full else sum(times) / len(times)
        floor = self._floor(traces, 6 * side * side // 4, self.attention_rates[scenario.attention])
        attend = self.attentions[scenario.attention]
        if isinstance(attend, ChosenAttention) and scenario.attention == FASTEST:
            assert attend.quantised, f"no quantised attention was used: {attend.timings}"
        peak = torch.cuda.max_memory_allocated() if self.on_gpu else 0
        reserved = torch.cuda.max_memory_reserved() if self.on_gpu else 0
        return Outcome(
            scenario.name,
            first_chunk_s=times[0],
            total_s=total,
            steady_chunk_s=steady,
            frames_per_s=24 / steady,
            floor_s=floor,
            ratio_to_floor=total / floor if floor else 0.0,
            chunk_s=[round(t, 4) for t in times],
            peak_vram_gib=peak / 2**30,
            reserved_vram_gib=reserved / 2**30,
            predicted_vram_gib=way.device_bytes / 2**30,
            held_gib=held,
            way=scenario.way.value,
            host_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            vae_s=[round(t, 4) for t in decoding] if scenario.vae else [],
        )

    def _held_gib(self) -> tuple[float, float]:
        on_card = torch.cuda.memory_allocated() if self.on_gpu else 0
        return round(on_card / 2**30, 3), round(psutil.Process().memory_info().rss / 2**30, 3)

    def _floor(self, traces: list[Forward], tokens: int, attention: float) -> float:
        """Seconds of the products and attentions alone, at the rates measured."""
        if not self.gemm or not attention:
            return 0.0
        counts = [Counted.of(trace) for trace in traces]
        chunks, pairs = sum(c.chunks for c in counts), sum(c.pairs for c in counts)
        return floor_s(self.config, tokens, chunks, pairs, self.gemm, attention)

    def _chunks(
        self, scenario: Scenario, side: int, traces: list[Forward], way: Placement
    ) -> Generator[Tensor]:
        for event in self._sample(scenario, side, traces, way):
            if isinstance(event, ChunkDone):
                yield event.latents

    def _sample(
        self, scenario: Scenario, side: int, traces: list[Forward], way: Placement
    ) -> Generator[StepDone | ChunkDone]:
        settings = settings_of(scenario)
        generator = torch.Generator().manual_seed(0)
        channels = self.config.caption_channels
        special = random_tokens(channels)
        caption = torch.randn(_CAPTION_TOKENS, channels, generator=generator)
        yield from Sampler(self.dit, settings, traces.append, Planned(way)).sample(
            height=side,
            width=side,
            captions=CaptionTrack(caption, special),
            noise=SeededNoise(1),
            num_chunks=scenario.chunks,
        )


class Planned(Memory):
    """Memory as a placement says."""

    def __init__(self, way: Placement) -> None:
        super().__init__()
        self._way = way

    @property
    def cache_on_host(self) -> bool:
        return self._way.cache_on_host

    @property
    def cuda_graphs(self) -> bool:
        return self._way.cuda_graphs


def _tensors(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _distance(expected: Tensor, actual: Tensor) -> float:
    """Relative L2 distance."""
    expected, actual = expected.float(), actual.float()
    return ((expected - actual).norm() / expected.norm()).item()


def machine(device: torch.device) -> dict[str, Any]:
    """What was measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "device": name,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def commit() -> str:
    """The commit the numbers belong to; empty in a copy, or where there is no git."""
    command = ["git", "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
        return done.stdout.strip()
    return ""


if __name__ == "__main__":
    main()
