"""The choice of attention: remembered, obeyed, and said where it is not exact."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from magi_engine.errors import InvalidRequestError
from magi_engine.messages import Message
from magi_engine.ops.attention import attention
from magi_engine.ops.backends import Backend, ChosenAttention, Timing, available_backends
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.quantised_attention import int8_attention
from magi_engine.runtime.doctor import examine, measure_attention
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import AttentionQuantised, Notice, Progress
from magi_engine.runtime.machine import kernels as kernels_module
from magi_engine.runtime.machine.devices import ATTENTIONS, check_attention
from magi_engine.runtime.machine.facts import look_around
from magi_engine.runtime.machine.kernels import AttentionTable, DeviceKernels, measured
from magi_engine.runtime.request.metadata import read_request
from tests.engine.runtime.outcomes import MakeRequest, finished, frames_of, of_kind, run

CPU = torch.device("cpu")
FAST = Timing("fast", True, "kind", "3 x 3, 1/1 x 8", 100, 0.5, 0.001, chosen=True)


def test_what_was_measured_is_there_at_the_next_start(tmp_path: Path) -> None:
    table = AttentionTable(tmp_path, CPU)
    assert table.load() == []
    broken = dataclasses.replace(FAST, backend="broken", error=float("nan"), chosen=False)
    refused = dataclasses.replace(FAST, backend="refused", seconds=None, error=None)
    table.note([FAST, broken, refused])
    known = AttentionTable(tmp_path, CPU).load()
    assert known == [FAST, dataclasses.replace(broken, error=None), refused]
    newer = dataclasses.replace(FAST, seconds=0.25)
    table.note([newer])
    assert AttentionTable(tmp_path, CPU).load()[0] == newer


@pytest.mark.parametrize("damage", ["no JSON", "[]", '{"KEY": [{"backend": "x"}]}', '{"KEY": 3}'])
def test_a_damaged_table_knows_nothing(tmp_path: Path, damage: str) -> None:
    table = AttentionTable(tmp_path, CPU)
    (tmp_path / "attention.json").write_text(damage.replace("KEY", table._key))
    assert table.load() == []
    table.note([FAST])
    assert table.load() == [FAST]


def test_another_version_or_device_is_measured_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AttentionTable(tmp_path, CPU).note([FAST])
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert AttentionTable(tmp_path, CPU).load() == []
    AttentionTable(tmp_path, CPU).note([FAST])
    assert len(json.loads((tmp_path / "attention.json").read_text(encoding="utf-8"))) == 2


def test_the_doctor_measures_and_remembers(tmp_path: Path) -> None:
    now = measure_attention(tmp_path)
    assert len(now) == 4
    assert sum("chosen" in finding.detail for finding in now) == 2
    assert all("TFLOP/s, error 0.0000, exact" in finding.detail for finding in now)
    later = [
        f for f in examine(look_around(tmp_path), cache_dir=tmp_path) if f.topic == "Attention"
    ]
    assert later == now


def test_each_input_has_all_backends() -> None:
    timings = measured(CPU)
    assert {t.backend for t in timings} == {"PyTorch", "two products"}
    assert all(t.seconds is not None and t.seconds > 0 for t in timings)


def test_every_backend_can_be_asked_for() -> None:
    names = {backend.name for backend in available_backends(CPU)}
    assert names < set(ATTENTIONS)
    for name in ATTENTIONS:
        check_attention(name)
    with pytest.raises(InvalidRequestError, match="no attention called 'fastest'"):
        check_attention("fastest")


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A device that has a quantised attention, and is fastest with it; the choices it was asked."""
    asked: list[str] = []

    def offered(
        device: torch.device, choice: str, known: list[Timing], folder: Path | None
    ) -> ChosenAttention:
        asked.append(choice)
        exact, rounds = Backend("plain", attention), Backend("int8", int8_attention, False)
        pretended = {id(attention): 2.0, id(int8_attention): 1.0}
        backends = [exact] if choice == "exact" else [exact, rounds]
        clock = lambda call: pretended[id(call.func)]  # noqa: E731
        return ChosenAttention(backends, clock, preferred=choice, known=known)

    monkeypatch.setattr(kernels_module, "attention_for", offered)
    return asked


def test_a_video_says_that_its_attention_was_quantised(
    make_request: MakeRequest, rounding: list[str], tmp_path: Path
) -> None:
    engine = Engine(cache_dir=tmp_path / "cache")
    large = make_request(width=256, height=256, num_frames=24)  # 1536 tokens: many keys
    rounded = run(engine, large)
    assert of_kind(rounded, AttentionQuantised) == [AttentionQuantised("int8")]
    assert isinstance(rounded[rounded.index(AttentionQuantised("int8")) - 1], Progress)
    path = finished(rounded).path
    assert path is not None
    kept = read_request(path)
    assert kept.quantised_attention
    assert kept.as_wished() == large

    # The same settings again, exact this time: the old fact is not taken over, and no model is
    # loaded again for another choice.
    exactly = dataclasses.replace(kept, attention="exact", output=str(tmp_path / "exact.mp4"))
    exact = run(engine, exactly)
    assert of_kind(exact, AttentionQuantised) == []
    assert not read_request(tmp_path / "exact.mp4").quantised_attention
    assert "loading_model" not in [e.to_dict().get("stage") for e in exact]
    assert set(rounding) == {"auto", "exact"}
    difference = frames_of(exact).astype(int) - frames_of(rounded)
    assert 0 < (difference != 0).mean() < 1

    known = AttentionTable(tmp_path / "cache", CPU).load()
    assert {t.backend for t in known} == {"plain", "int8"}


def test_that_a_card_is_slower_than_it_could_be_is_said_once(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = Message("{name} is missing: set the program up again", name="cuda.core")
    monkeypatch.setattr(kernels_module, "fused_kernels", lambda *_: (Kernels(), why))
    engine = Engine()
    said = [str(notice.message) for notice in of_kind(run(engine, make_request()), Notice)]
    sentence = f"The graphics card is slower than it could be. {why}."
    assert said.count(sentence) == 1
    assert sentence not in [str(n.message) for n in of_kind(run(engine, make_request()), Notice)]


@pytest.mark.parametrize(("choice", "told"), [("auto", True), ("exact", False)])
def test_who_wants_no_quantised_attention_does_not_miss_it(
    choice: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fused(Kernels):
        """Some that work."""

    why = Message("the error of int8 attention is 0.10")
    monkeypatch.setattr(kernels_module, "fused_kernels", lambda *_: (Fused(), why))
    kernels = DeviceKernels(CPU, None)
    kernels.choose(choice)
    assert kernels.slow_because == (why if told else None)


def test_an_unknown_attention_is_refused(engine: Engine, make_request: MakeRequest) -> None:
    (failed,) = run(engine, make_request(attention="magic"))
    assert "There is no attention called 'magic'" in str(failed.error)  # type: ignore[attr-defined]
