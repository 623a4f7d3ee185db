"""Several cards for one video beside one card, in one run: the models and scenarios of ``gpu.py``.

``python -m tests.bench.cards --gpus 2`` starts a process for each card. Each scenario runs on the
first card alone and then on all; what comes out is compared. ``results/cards.json`` says how long
it took and where the time of one forward goes. ``--device cpu`` is a smoke test with a tiny model.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import faulthandler
import json
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from magi_engine.config.official import MagiConfig
from magi_engine.config.vae import Tile
from magi_engine.model.random_weights import random_dit
from magi_engine.ops.backends import FASTEST
from magi_engine.ops.mesh import ALONE, Mesh, join, leave
from magi_engine.resources import resource_path
from magi_engine.runtime.planning.placement import Placement
from magi_engine.runtime.process.environment import let_memory_be_whole
from magi_engine.sampling.cache import WindowAttention
from magi_engine.sampling.events import StepDone
from magi_engine.sampling.sampler import Decode, Sampler, next_task
from magi_engine.sampling.schedule import Forward
from tests.bench.gpu import Bench, Planned, commit, machine
from tests.bench.gpu_scenarios import TINY, Scenario

_RESULTS = Path(__file__).parent / "results" / "cards.json"
_TIMEOUT_S = 180
_PART_S = 80
"""After so long a part says where it hangs, and all is over."""
SCENARIOS = (
    Scenario("720 w4, 16 steps", 720, 16, 4, 4, attention=FASTEST),
    Scenario("720 w1, first chunk", 720, 16, 1, 2, made=1, attention=FASTEST),
    Scenario("720 w4, 8 steps, vae", 720, 8, 4, 9, vae=True, made=6, attention=FASTEST),
    Scenario("480 w4, 8 steps, vae", 480, 8, 4, 10, vae=True, attention=FASTEST),
    Scenario("384 w4, 8 steps, vae", 384, 8, 4, 10, vae=True, attention=FASTEST),
)
LARGE = Scenario("24B, 720 w1, 4 steps", 720, 4, 1, 2, made=1, attention=FASTEST)
KINDS = {
    "all-to-all": ("nccl",),
    "attention": ("attend", "flash", "fmha", "sdpa", "survey", "quantise_", "scales"),
    "products": ("gemm", "nvjet", "cutlass", "xmma", "scaled_mm"),
    "copies": ("copy", "Memcpy", "CatArray", "indexSelect", "index_select"),
}
"""Parts of the names of kernels; what has none is between the products."""


class Cards(Bench):
    """The bench on the cards of a mesh; only the leading process runs scenarios."""

    def __init__(self, device: torch.device, mesh: Mesh, graphs: bool) -> None:
        super().__init__(device)
        self.mesh, self.graphs = mesh, graphs
        self.latents: list[Tensor] = []

    def pixels(self, latents: Tensor) -> Tensor:
        mesh = self.dit.mesh
        if mesh.size > 1:
            mesh.agree(lambda: Decode(latents.cpu(), self.vae.tiles_at_once))
        self.vae.mesh = mesh
        try:
            return super().pixels(latents)
        finally:
            self.vae.mesh = ALONE

    @torch.inference_mode()
    def pixels_along(self, told: Decode) -> None:
        """What the other processes do for the leading one's :meth:`pixels`."""
        self.vae.mesh, self.vae.tiles_at_once = self.mesh, told.tiles_at_once
        latents = told.latents.to(self.device) / 0.18215
        self.vae.decode(latents.to(self.vae_dtype), Tile.released(24))

    def _chunks(
        self, scenario: Scenario, side: int, traces: list[Forward], way: Placement
    ) -> Generator[Tensor]:
        self.latents = []
        with contextlib.closing(super()._chunks(scenario, side, traces, way)) as chunks:
            for latents in chunks:
                self.latents.append(latents)
                yield latents

    def _place(self, scenario: Scenario) -> Placement:
        way = super()._place(scenario)
        graphs = way.cuda_graphs if self.dit.mesh.size == 1 else self.graphs
        return dataclasses.replace(way, cuda_graphs=graphs and self.on_gpu)

    def compare(self, scenario: Scenario, before: dict[str, Any]) -> dict[str, Any]:
        """A scenario on one card, unless ``before`` has that already, and on all."""
        found: dict[str, Any] = dict(before)
        alone: list[Tensor] = []
        meshes = (self.mesh,) if "1" in before else (ALONE, self.mesh)
        for mesh in meshes:
            self.dit.mesh = mesh
            outcome = asdict(self.run(scenario))
            kept = (
                "first_chunk_s",
                "total_s",
                "steady_chunk_s",
                "frames_per_s",
                "chunk_s",
                "vae_s",
            )
            found[str(mesh.size)] = {k: outcome[k] for k in (*kept, "peak_vram_gib")}
            alone = alone or self.latents
        together = found[str(self.mesh.size)]
        if len(meshes) > 1:
            together["error"] = _difference(alone, self.latents)
        for what in ("first_chunk_s", "total_s", "steady_chunk_s"):
            together[f"{what} x"] = found["1"][what] / together[what]
        return found

    def same(self) -> dict[str, Any]:
        """Whether all cards compute what one does, and always the same: where they part."""
        scenario = Scenario("same", 720, 4, 4, 3, attention=FASTEST)
        found: dict[str, Any] = {}
        kept: dict[str, tuple[list[Tensor], dict[str, Tensor]]] = {}
        for name in ("one", "one, again", "all", "all, again"):
            self.dit.mesh = ALONE if name.startswith("one") else self.mesh
            with self._watched() as seen:
                self.run(scenario)
            kept[name] = self.latents, seen
        for a, b in (("one", "one, again"), ("all", "all, again"), ("one", "all")):
            found[f"{a} and {b}"] = _difference(kept[a][0], kept[b][0])
        first = kept["one"][1]
        for name in ("one, again", "all", "all, again"):
            parts = {
                what: _difference([self._share(first[what], x)], [x])
                for what, x in kept[name][1].items()
            }
            apart = {what: e for what, e in parts.items() if e}
            found[f"{name}: parts equal"] = len(parts) - len(apart)
            found[f"{name}: parts apart"] = dict(list(apart.items())[:12])
        return found

    def _share(self, whole: Tensor, own: Tensor) -> Tensor:
        """The leading process's tokens of a forward of one chunk."""
        return whole[:, : own.shape[1]]

    @contextlib.contextmanager
    def _watched(self) -> Generator[dict[str, Tensor]]:
        """What the layers of the first forward of all gave, and their attention."""
        seen: dict[str, Tensor] = {}
        attend = WindowAttention.__call__

        def keep(name: str, x: Tensor) -> None:
            if name not in seen:
                seen[name] = x.clone()

        def attended(room: WindowAttention, layer: int, *qkv: Tensor) -> Tensor:
            for name, x in zip("qkv", qkv, strict=True):
                keep(f"{layer:02} {name}", x)
            out = attend(room, layer, *qkv)
            keep(f"{layer:02} seen", out)
            return out

        def after(name: str) -> Callable[[Any, Any, Tensor], None]:
            return lambda _layer, _given, out: keep(name, out)

        hooks = [
            layer.register_forward_hook(after(f"{index:02} x"))
            for index, layer in enumerate(self.dit.layers)
        ]
        WindowAttention.__call__ = attended  # type: ignore[method-assign]
        try:
            yield seen
        finally:
            WindowAttention.__call__ = attend  # type: ignore[method-assign]
            for hook in hooks:
                hook.remove()

    def where_time_goes(self, pixels: int, window: int) -> dict[str, Any]:
        """Milliseconds of the first card in one forward with a full window, alone and together."""
        found: dict[str, Any] = {}
        side = pixels // 8 // self.scale // 2 * 2
        scenario = Scenario("profile", pixels, 4, window, window + 2, attention=FASTEST)
        self._use(self.kernels, FASTEST)
        for mesh in (ALONE, self.mesh):
            self.dit.mesh = mesh
            way = self._place(scenario)
            with contextlib.closing(self._events(scenario, side, way)) as steps:
                for step in steps:
                    if len(step.forward.chunks) == window:
                        break
                found[str(mesh.size)] = self._profiled(lambda steps=steps: next(steps))
        return found

    def _events(self, scenario: Scenario, side: int, way: Placement) -> Generator[StepDone]:
        for event in self._sample(scenario, side, [], way):
            if isinstance(event, StepDone):
                yield event

    def _profiled(self, run: Callable[[], Any]) -> dict[str, Any]:
        if not self.on_gpu:
            run()
            return {}
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            begin = time.perf_counter()
            run()
            torch.cuda.synchronize()
            wall = time.perf_counter() - begin
        with _syncs() as syncs:
            torch.cuda.synchronize()
            begin = time.perf_counter()
            run()
            host = time.perf_counter() - begin
            torch.cuda.synchronize()
            plain = time.perf_counter() - begin
        parts = dict.fromkeys((*KINDS, "between products"), 0.0)
        for event in profile.key_averages():
            kinds = (k for k, names in KINDS.items() if any(n in event.key for n in names))
            parts[next(kinds, "between products")] += event.self_device_time_total / 1e3
        kernels = {e.key[:60]: e.self_device_time_total / 1e3 for e in profile.key_averages()}
        most = sorted(kernels.items(), key=lambda item: -item[1])[:20]
        parts |= {"wall": 1e3 * wall, "without the profiler": 1e3 * plain, "the host's": 1e3 * host}
        spans = [
            (e.start_ns(), e.start_ns() + e.duration_ns(), "nccl" in e.name())
            for e in profile.profiler.kineto_results.events()  # type: ignore[union-attr]
            if str(e.device_type()).endswith("CUDA")
        ]
        computing = _covered((a, b) for a, b, sends in spans if not sends)
        running = _covered((a, b) for a, b, _ in spans)
        return parts | {
            "all-to-all with nothing beside it": running - computing,
            "two lanes at once": sum(b - a for a, b, s in spans if not s) / 1e6 - computing,
            "nothing": 1e3 * wall - running,
            "the host waits": syncs,
            "kernels": most,
        }

    def each(self) -> dict[str, list[float]]:
        """Milliseconds of one attention and one product, on each card alone and on all at once."""
        make = lambda *shape: torch.randn(*shape, device=self.device).bfloat16()  # noqa: E731
        tokens, attend = 12150 // self.scale**2, self.attentions[FASTEST]
        q = make(1, tokens, 12, 128)
        k, v = (make(1, 5 * tokens, 4, 128) for _ in "kv")
        x, w = make(tokens, 3072), make(3072, 12288)
        works = {"attention": lambda: attend(q, k, v), "product": lambda: x @ w}
        found: dict[str, list[float]] = {}
        for name, work in works.items():
            for who in (*range(self.mesh.size), None):
                milliseconds = torch.zeros(self.mesh.size, dtype=torch.float64)
                self.mesh.all_did(True)
                if who in (self.mesh.rank, None):
                    took = self._timed(work, 200 if self.on_gpu else 2)
                    milliseconds[self.mesh.rank] = 1e3 * took
                dist.all_reduce(milliseconds)
                found[f"{name}, {'all' if who is None else who}"] = milliseconds.tolist()
        return found

    def transfer(self) -> dict[str, float]:
        """All-to-alls of the sizes of a layer with nothing else: milliseconds, GB/s of a card."""
        found = {}
        for tokens in (12150, 48600):
            count = tokens // self.scale**2 // self.mesh.size * 40 * 128
            sent = torch.randn(count, device=self.device).bfloat16()
            got = torch.empty_like(sent)
            milliseconds = 1e3 * self._timed(lambda: dist.all_to_all_single(got, sent))  # noqa: B023
            moved = sent.nbytes * (self.mesh.size - 1) / self.mesh.size
            found[f"{tokens} tokens, ms"] = milliseconds
            found[f"{tokens} tokens, GB/s"] = moved / milliseconds / 1e6
        return found

    def _timed(self, call: Callable[[], Any], calls: int = 20) -> float:
        wait = torch.cuda.synchronize if self.on_gpu else lambda: None
        for _ in range(3):
            call()
        wait()
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        wait()
        return (time.perf_counter() - begin) / calls


def _covered(spans: Iterable[tuple[int, int]]) -> float:
    """Milliseconds that are in any of these spans of nanoseconds."""
    total = end = 0
    for a, b in sorted(spans):
        total += max(0, b - max(a, end))
        end = max(end, b)
    return total / 1e6


@contextlib.contextmanager
def _syncs() -> Generator[dict[str, int]]:
    """Where the host waits for the card, and how often."""
    found: dict[str, int] = {}
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield found
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for warning in said:
        if "synchroniz" in str(warning.message):
            place = f"{Path(warning.filename).name}:{warning.lineno}"
            found[place] = found.get(place, 0) + 1


def _difference(expected: list[Tensor], actual: list[Tensor]) -> float:
    """The largest relative L2 distance; NaN if one has that."""
    pairs = zip(expected, actual, strict=True)
    norms = [((a.float() - b.float()).norm() / a.float().norm()).item() for a, b in pairs]
    return max(norms, key=lambda x: (x != x, x))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=_RESULTS)
    parser.add_argument("--parts", nargs="+", help="only those whose names begin so")
    parser.add_argument("--together", action="store_true", help="one card's figures are there")
    parser.add_argument("--graphs", action="store_true", help="CUDA graphs in a mesh")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank is not None:
        rank(args)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.cards", *sys.argv[1:], "--store"]
        command += [f"{folder}/store", "--rank"]
        ranks = [subprocess.Popen([*command, str(number)]) for number in range(args.gpus)]
        try:
            while None in (codes := [process.poll() for process in ranks]):
                if any(codes):
                    break
                time.sleep(0.2)
        finally:
            for process in ranks:
                process.kill()
    return max(process.wait() for process in ranks)


def rank(args: argparse.Namespace) -> None:
    """One process of the mesh."""
    let_memory_be_whole()
    on_card = args.device == "cuda"
    device = torch.device("cuda", args.rank) if on_card else torch.device("cpu")
    mesh = join(args.store, args.rank, args.gpus, device, _TIMEOUT_S)
    bench = Cards(device, mesh, args.graphs)
    result: dict[str, Any] = {}
    if args.out.is_file():
        result = json.loads(args.out.read_text(encoding="utf-8"))
    result |= {"machine": machine(device), "cards": args.gpus, "commit": commit()}

    def part(name: str, run: Callable[[], Any], choice: str = FASTEST) -> None:
        """The leading process runs it, the others follow whatever it samples."""
        if args.parts is not None and not name.startswith(tuple(args.parts)):
            return
        bench.dit.mesh = mesh
        faulthandler.dump_traceback_later(_PART_S, exit=True)
        with torch.inference_mode():
            if not mesh.leads:
                bench._use(bench.kernels, choice)
                way = bench._place(SCENARIOS[0])
                while (said := next_task(mesh)) is not None:
                    if isinstance(said, Decode):
                        bench.pixels_along(said)
                        continue
                    sampler = Sampler(bench.dit, said.settings, memory=Planned(way))
                    sampler.follow(said, bench.pixels_along)
                return
            begin = time.perf_counter()
            try:
                result[name] = run()
            except Exception:
                result[name] = {"failed": traceback.format_exc(limit=6)}
                raise
            finally:
                seconds = time.perf_counter() - begin
                print(f"{name} ({seconds:.1f} s): {json.dumps(result[name])}", flush=True)
                args.out.parent.mkdir(parents=True, exist_ok=True)
                args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            next_task(mesh)

    def known(scenario: Scenario) -> dict[str, Any]:
        found = result.get(scenario.name, {})
        return {size: found[size] for size in found if size.isdigit()} if args.together else {}

    transfer, each = bench.transfer(), bench.each()
    part("transfer", lambda: transfer)
    part("each card", lambda: each)
    if not args.graphs:
        part("same", bench.same)
    for scenario in SCENARIOS:
        part(scenario.name, lambda s=scenario: bench.compare(s, known(s)))
    for pixels, window in ((720, 4), (720, 1)):
        part(f"time, {pixels} w{window}", lambda p=pixels, w=window: bench.where_time_goes(p, w))
    if args.parts is not None and not LARGE.name.startswith(tuple(args.parts)):
        leave()
        return
    path = resource_path("configs", "24B_distill_quant_config.json")
    bench.config = MagiConfig.from_json(path).model_config if on_card else TINY
    del bench.dit
    bench.dit = random_dit(bench.config, device)
    bench.dit.speed_up(bench.kernels, bench.attention)
    part(LARGE.name, lambda: bench.compare(LARGE, known(LARGE)))
    leave()


if __name__ == "__main__":
    sys.exit(main())
