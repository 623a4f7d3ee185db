"""A dry run at full size: random weights in the official layout, from files to one chunk in an MP4.

``python -m tests.bench.full_size FOLDER`` needs a graphics card of 40 GB, 48 GB of disk (30 with
half of the text encoder, which it takes by itself where there is less) and 30 GB of memory;
``--small`` runs the same on the CPU with a tiny model. FOLDER gets ``full_size.json`` and
``full_size.md``, written anew after every part: seconds and peaks of memory of each stage, what
was predicted, and whether the limits hold. A part that fails is named there; the others go on.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    ChunkReady,
    DecodingStarted,
    Failed,
    StageStarted,
)
from magi_engine.runtime.job.events import (
    Stage as JobStage,
)
from magi_engine.runtime.job.quantize import QuantizationStep, quantize_model
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning.plan import JobPlan, plan
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.weights.layout import find_model
from magi_engine.weights.provenance import small_text_encoder_of
from magi_engine.weights.shards import SafetensorsShard
from magi_engine.weights.text_encoder import load_text_encoder
from tests.bench.full_size_files import T5_LAYERS, Release, write_bf16, write_release
from tests.bench.measuring import Peaks, Row, Stage

PROMPT = "A lighthouse on a cliff at dusk, waves breaking on the rocks below, slow camera."
OTHER_PROMPT = "A red kite over a beach in the morning, children running after it."
_WHOLE_DISK = 48e9
_HALF_DISK = 30e9
_CALIBRATION_STEPS = 8
_LOAD_LIMIT_S, _ENCODE_LIMIT_S, _CONVERT_LIMIT_GB = 6.0, 3.0, 3.0


@dataclass(frozen=True)
class Limit:
    """Something the project asks for, and what came out."""

    what: str
    at_most: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.measured <= self.at_most


@dataclass(frozen=True)
class Prediction:
    """What was predicted of a part of a generation, and what it took."""

    generation: str
    of: str
    predicted: float
    measured: float


@dataclass
class Report:
    """Everything that has been measured so far."""

    machine: str
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write both files."""
        data = asdict(self)
        for entry, limit in zip(data["limits"], self.limits, strict=True):
            entry["met"] = limit.met
        (folder / "full_size.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        (folder / "full_size.md").write_text(_markdown(self), encoding="utf-8")


class DryRun:
    """The parts of the run, in order.

    Args:
        work: a folder for everything large.
        output: where the report goes.
    """

    def __init__(self, work: Path, output: Path, device: torch.device, small: bool) -> None:
        self._work, self._output, self._device, self._small = work, output, device, small
        self._models, self._cache = work / "models", work / "cache"
        name = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        self.report = Report(f"{name}, PyTorch {torch.__version__}")
        if small:
            self.report.notes.append("a tiny model: the numbers say nothing")
        self._release: Release | None = None

    def run(self, quantise: bool) -> None:
        """Everything; a part that fails does not keep the next ones from being tried."""
        parts: list[Callable[[], None]] = [self._write, self._load_transformer, self._text_as_it_is]
        parts += [self._convert, self._text_small, self._generate]
        if quantise:
            parts.append(self._quantise)
        for part in parts:
            try:
                part()
            except Exception:
                self.report.failures.append(f"{part.__name__}: {traceback.format_exc()}")
                print(self.report.failures[-1], flush=True)
            self._clear()
            self.report.save(self._output)

    @property
    def release(self) -> Release:
        """The files, once they are written."""
        if self._release is None:
            raise RuntimeError("the checkpoints could not be written")
        return self._release

    def _write(self) -> None:
        free = shutil.disk_usage(self._work).free
        layers = T5_LAYERS if free >= _WHOLE_DISK else T5_LAYERS // 2
        if not self._small:
            if free < _HALF_DISK:
                raise RuntimeError(f"{free / 1e9:.0f} GB of disk are too few")
            size = 19 if layers == T5_LAYERS else 10
            note = (
                f"Text encoder of {layers} layers, {size} GB in float32; {free / 1e9:.0f} GB free"
            )
            self.report.notes.append(note)
        with self._stage("write the checkpoints"):
            self._release = write_release(
                self._work / "release", self._device, small=self._small, t5_layers=layers
            )

    def _load_transformer(self) -> None:
        path = self.release.transformer / "model.safetensors"
        with self._stage("read the transformer's file, nothing else"):
            shard = SafetensorsShard(path)
            tensors = dict(shard.tensors(shard.infos(), self._device))
        del tensors
        self._clear()
        model = self._model(self.release.config)
        with self._stage("transformer ready, from the page cache") as stage:
            model.load_dit()
        self._limit("transformer ready, s", _LOAD_LIMIT_S, stage.row.seconds)
        with self._stage("autoencoder ready"):
            model.load_vae()
        model.unload()

    def _text_as_it_is(self) -> None:
        with self._stage("load the text encoder, float32 pickles"):
            encoder = load_text_encoder(self.release.text_encoder, self._device)
        for name, prompt in (("first", PROMPT), ("second", OTHER_PROMPT)):
            with self._stage(f"encode the {name} prompt, float32"):
                encoder.encode(prompt)
        encoder.close()

    def _convert(self) -> None:
        """In a process of its own, so that its memory is its own."""
        code = (
            "import sys; from pathlib import Path\n"
            "from magi_engine.weights.convert_text import shrink_text_encoder\n"
            "for _ in shrink_text_encoder(Path(sys.argv[1]), Path(sys.argv[2])): pass\n"
        )
        source = self.release.text_encoder
        command = [sys.executable, "-c", code, str(source), str(self._models)]
        begun = time.perf_counter()
        process = subprocess.Popen(command)
        with Peaks(process.pid) as peaks:
            failed = process.wait()
        if failed:
            raise RuntimeError(f"the conversion ended with {failed}")
        seconds = time.perf_counter() - begun
        row = Row("hash and convert the text encoder", seconds, peaks.own / 1e9, peaks.rss / 1e9)
        self._add(row)
        self._limit("memory of the conversion, GB", _CONVERT_LIMIT_GB, peaks.own / 1e9)
        self._limit("the same with mapped files, GB", _CONVERT_LIMIT_GB, peaks.rss / 1e9)

    def _text_small(self) -> None:
        small = small_text_encoder_of(self.release.text_encoder, self._models)
        if small is None:
            raise RuntimeError("there is no small text encoder")
        for streamed in (False, True):
            how = "8 bits, streamed" if streamed else "8 bits"
            with self._stage(f"load the text encoder, {how}"):
                encoder = load_text_encoder(small, self._device, streamed=streamed)
            with self._stage(f"encode the first prompt, {how}"):
                encoder.encode(PROMPT)
            with self._stage(f"encode the second prompt, {how}") as stage:
                encoder.encode(OTHER_PROMPT)
            self._limit(f"a prompt after the first, {how}, s", _ENCODE_LIMIT_S, stage.row.seconds)
            encoder.close()
            del encoder
            self._clear()

    def _generate(self) -> None:
        engine = Engine(self._models, self._cache)
        for title, prompt in (
            ("generation 1, nothing known", PROMPT),
            ("generation 2, the same again", PROMPT),
            ("generation 3, another prompt", OTHER_PROMPT),
        ):
            self._one_video(engine, title, prompt)
        engine.unload()
        self._one_video(engine, "generation 4, everything unloaded before", PROMPT)
        engine.unload()

    def _one_video(self, engine: Engine, title: str, prompt: str) -> None:
        side = 64 if self._small else 720
        output = self._output / f"{title.split(',')[0].replace(' ', '_')}.mp4"
        output.unlink(missing_ok=True)  # of an earlier run
        request = GenerationRequest(
            mode=Mode.T2V,
            model=self.release.config.stem,
            config_path=str(self.release.config),
            width=side,
            height=side,
            num_frames=24,
            prompts=(PromptChange(0, prompt),),
            sampling=SamplingOverrides(num_steps=16, window_size=1),
            device=self._device.type,
            output=str(output),
        )
        predicted = plan(request, engine.machine(), self._models, self._cache)
        rows = self._stages(engine, request)
        self._compare(title, predicted, rows)
        for row in rows:
            self._add(dataclasses.replace(row, stage=f"{title}: {row.stage}"))

    def _stages(self, engine: Engine, request: GenerationRequest) -> list[Row]:
        """A row for each stage of a generation, the last one for all of it."""
        rows: list[Row] = []
        stage: Stage | None = None
        first: tuple[float, NDArray[np.uint8]] | None = None
        begun = time.perf_counter()
        for event in engine.generate(request):
            name = ""
            if isinstance(event, ChunkReady):
                first = time.perf_counter() - begun, event.frames
            if isinstance(event, StageStarted):
                name = event.stage.value
            elif isinstance(event, DecodingStarted):
                name = _DECODING
            if stage is not None and (name or isinstance(event, ChunkReady | Failed)):
                stage.__exit__(None, None, None)
                rows.append(stage.row)
                stage = None
            if name:
                stage = Stage(name, self._device)
                stage.__enter__()
            if isinstance(event, Failed):
                raise event.error
        seconds = time.perf_counter() - begun
        assert first is not None
        first_s, frames = first
        print(f"mean colour {frames.mean():.0f}, spread {frames.std():.0f}", flush=True)
        return [
            *rows,
            Row("until the frames are there", first_s),
            Row("all", seconds, *(_most(rows, n) for n in ("own_gb", "rss_gb", "vram_gb"))),
        ]

    def _compare(self, title: str, predicted: JobPlan, rows: list[Row]) -> None:
        seconds = {row.stage: row.seconds for row in rows}
        whole, times = rows[-1], predicted.times

        def took(*stages: JobStage) -> float:
            return sum(seconds.get(stage.value, 0.0) for stage in stages)

        for of, guess, measured in (
            (
                "text, s",
                times.text_s,
                took(JobStage.LOADING_TEXT_ENCODER, JobStage.ENCODING_PROMPT),
            ),
            ("loading, s", times.load_s, took(JobStage.LOADING_VAE, JobStage.LOADING_MODEL)),
            (
                "warming up, denoising and decoding, s",
                times.warm_up_s + times.denoise_s + times.decode_s,
                took(JobStage.PREPARING_SIZE, JobStage.SAMPLING) + seconds.get(_DECODING, 0.0),
            ),
            ("all, s", predicted.seconds, whole.seconds),
            ("graphics memory, GB", _gb(predicted.vram_bytes), whole.vram_gb),
            ("memory, GB", _gb(predicted.ram_bytes), whole.own_gb),
        ):
            if guess is not None and measured is not None:
                self.report.predictions.append(Prediction(title, of, guess, measured))

    def _quantise(self) -> None:
        """A bf16 model of full size made into fp8 here, calibrated on one prompt of few steps."""
        for pickle in self.release.text_encoder.glob("*.bin"):  # what the program offers to do
            pickle.unlink()
        steps = 4 if self._small else _CALIBRATION_STEPS
        with self._stage("write a bf16 transformer"):
            config = write_bf16(self.release, self._device, small=self._small, num_steps=steps)
        self._clear()
        model = self._model(config)
        folder = self._work / "made"
        stages: dict[QuantizationStep, Stage] = {}

        def listen(what: QuantizationStep, _fraction: float) -> None:
            if what in stages:
                return
            self._end_of(stages)
            stages[what] = Stage(f"quantise: {what.value}", self._device)
            stages[what].__enter__()

        path = quantize_model(model, folder, [PROMPT], listen)
        self._end_of(stages)
        print(f"{path.stat().st_size / 1e9:.2f} GB of fp8", flush=True)

    def _end_of(self, stages: dict[QuantizationStep, Stage]) -> None:
        if stages:
            last = list(stages.values())[-1]
            last.__exit__(None, None, None)
            self._add(last.row)

    def _model(self, config: Path) -> LoadedModel:
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        return LoadedModel(find_model(config, self._models), self._device, dtype, self._cache)

    @contextlib.contextmanager
    def _stage(self, name: str) -> Iterator[Stage]:
        stage = Stage(name, self._device)
        with stage:
            yield stage
        self._add(stage.row)

    def _add(self, row: Row) -> None:
        self.report.rows.append(row)
        print(_cells(row), flush=True)

    def _limit(self, what: str, at_most: float, measured: float) -> None:
        self.report.limits.append(Limit(what, at_most, measured))

    def _clear(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


_DECODING = "decoding and writing"


def _most(rows: list[Row], name: str) -> float | None:
    known = [value for row in rows if (value := getattr(row, name)) is not None]
    return max(known, default=None)


def _gb(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / 1e9


def _cells(row: Row) -> str:
    values = (row.seconds, row.own_gb, row.rss_gb, row.vram_gb)
    return " | ".join([row.stage, *("" if v is None else f"{v:.2f}" for v in values)])


def _markdown(report: Report) -> str:
    lines = [f"{'; '.join((report.machine, *report.notes))}.", ""]
    lines += ["| stage | seconds | memory, GB | with mapped files, GB | graphics memory, GB |"]
    lines += ["|---|---|---|---|---|"]
    lines += [f"| {_cells(row)} |" for row in report.rows]
    lines += ["", "| limit | at most | measured | |", "|---|---|---|---|"]
    for limit in report.limits:
        verdict = "met" if limit.met else "**missed**"
        lines.append(f"| {limit.what} | {limit.at_most:.1f} | {limit.measured:.2f} | {verdict} |")
    lines += ["", "| generation | of | predicted | measured |", "|---|---|---|---|"]
    lines += [
        f"| {p.generation} | {p.of} | {p.predicted:.2f} | {p.measured:.2f} |"
        for p in report.predictions
    ]
    lines += ["", *(f"FAILED: {failure}" for failure in report.failures)]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Run; 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--work", type=Path, help="where the large files go; default: a new one")
    parser.add_argument("--small", action="store_true", help="a tiny model on the CPU")
    parser.add_argument("--quantise", action="store_true", help="quantise a bf16 model, too")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="full-size-", dir=args.work))
    device = torch.device("cpu" if args.small else "cuda")
    run = DryRun(work, args.output, device, args.small)
    try:
        run.run(args.quantise)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        print(_markdown(run.report))
    return 1 if run.report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
