"""A large text encoder is gone before the video is made."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

import pytest

from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import Event, Failed, Finished, Stage, StageStarted
from magi_engine.runtime.models import prompts
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.weights.text_placement import TextPlacement


def request(config: Path, output: Path, prompt: str) -> GenerationRequest:
    return GenerationRequest(
        mode=Mode.T2V,
        model="tiny",
        config_path=str(config),
        width=48,
        height=32,
        num_frames=24,
        prompts=(PromptChange(0, prompt),),
        device="cpu",
        output=str(output),
    )


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("placement", [TextPlacement.CPU, TextPlacement.STREAMED])
def test_its_memory_is_free_when_sampling_starts(
    tiny_model_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    large: bool,
    placement: TextPlacement,
) -> None:
    if large:
        monkeypatch.setattr(prompts, "LARGE_TEXT_ENCODER_BYTES", 0)
    monkeypatch.setattr(prompts, "choose_text_placement", lambda *_args: placement)
    real, weights, loads = prompts.load_text_encoder, [], 0

    def load(*args, **kwargs):
        nonlocal loads
        loads += 1
        encoder = real(*args, **kwargs)
        assert encoder._model is not None
        weights.append(weakref.ref(encoder._model.get_submodule("shared").weight))
        return encoder

    monkeypatch.setattr(prompts, "load_text_encoder", load)
    engine = Engine(cache_dir=tmp_path / "cache")
    seen: list[bool] = []
    for number, prompt in enumerate(("a red circle", "a blue square", "a red circle")):
        asked = request(tiny_model_config, tmp_path / f"{number}.mp4", prompt)
        events = list[Event]()
        for event in engine.generate(asked):
            events.append(event)
            assert not isinstance(event, Failed), event
            if isinstance(event, StageStarted) and event.stage is Stage.SAMPLING:
                seen.append(any(ref() is not None for ref in weights))
                if large:
                    names = [thread.name for thread in threading.enumerate()]
                    assert not any(name.startswith("text-encoder") for name in names)
        assert isinstance(events[-1], Finished)
    assert seen == [not large] * 3
    # A prompt that was encoded before needs no encoder.
    assert loads == (2 if large else 1)
    engine.unload()
    assert all(ref() is None for ref in weights)
