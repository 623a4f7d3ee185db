"""What is put together behind the window: files of models are let go before they change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.draft import Reference
from magi_desktop.workshop import Workshop
from magi_engine.install.status import ModelState, model_statuses
from magi_engine.install.tasks import Download, Make, Verify
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.info import probe
from magi_engine.runtime.request.request import Mode
from tests.desktop.machines import FACTS
from tests.desktop.media_files import image_file, video_file


def test_the_engine_lets_files_go_before_they_are_replaced_or_removed(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(*(tmp_path / n for n in ("config", "data", "cache", "logs", "videos")))
    file = SettingsFile(places.settings_file)
    workshop = Workshop(places, file, Preferences(file))
    asked: list[str] = []
    monkeypatch.setattr(workshop.engine, "do", lambda action: asked.append(action.__name__))
    statuses = {s.entry.name: s for s in model_statuses(tmp_path / "models")}
    damaged = replace(statuses["4.5B-distill"], state=ModelState.DAMAGED)
    workshop.models.statuses = tuple({**statuses, "4.5B-distill": damaged}.values())

    def unloads(task: object) -> bool:
        asked.clear()
        workshop._make_room(task)  # type: ignore[arg-type]
        return asked == ["unload"]

    assert unloads(Make("pocket-fp8"))
    assert unloads(Download("4.5B-distill")), "a repair replaces what may be mapped"
    assert not unloads(Download("24B-distill")), "what is not here is not in use"
    assert not unloads(Verify("4.5B-distill"))
    asked.clear()
    workshop.models.remove("4.5B-distill")
    assert asked == ["unload"]
    workshop.close()


def test_a_card_is_asked_for_while_it_is_there(qtbot: QtBot, tmp_path: Path) -> None:
    places = Places(*(tmp_path / n for n in ("config", "data", "cache", "logs", "videos")))
    file = SettingsFile(places.settings_file)
    workshop = Workshop(places, file, Preferences(file))
    workshop.preferences.set("card", "cuda:1")
    both = replace(FACTS, cards=(("cuda:0", "one card"), ("cuda:1", "another")))
    for facts, asked in ((both, "cuda:1"), (OSError(), "cuda:1"), (FACTS, None), (both, "cuda:1")):
        workshop.engine.looked.emit(facts)
        assert workshop.computing().get("device") == asked
    workshop.preferences.set("card", "cuda:0")
    assert workshop.computing()["device"] == "cuda:0"
    workshop.close()


def test_what_a_video_starts_from_and_how_is_there_at_the_next_start(
    qtbot: QtBot, tmp_path: Path
) -> None:
    places = Places(*(tmp_path / n for n in ("config", "data", "cache", "logs", "videos")))

    def started() -> Workshop:
        file = SettingsFile(places.settings_file)
        return Workshop(places, file, Preferences(file))

    picture, clip = image_file(tmp_path / "a.png"), video_file(tmp_path / "b.mp4", seconds=1.0)
    image = Reference(picture, probe(picture), FitPolicy.CROP, CropBox(8, 8, 96, 64))
    video = Reference(
        clip, probe(clip), FitPolicy.PAD, clip=ClipPart.range(0.25, 0.75), prepend_source=True
    )
    first = started()
    first.draft.set_reference(image)
    first.draft.set_reference(video)
    first.close()

    killed = started()
    killed.draft.set_prompt("written before the files were read")
    killed.file.flush()
    killed.close()

    clip.rename(tmp_path / "away.mp4")
    without = started()
    without.read_references()
    without.draft.set_mode(Mode.I2V)
    qtbot.waitUntil(lambda: without.draft.reference == image)
    without.close()

    (tmp_path / "away.mp4").rename(clip)
    again = started()
    again.read_references()
    again.draft.set_mode(Mode.V2V)
    qtbot.waitUntil(lambda: again.draft.reference == video)
    again.draft.set_reference(None)
    again.close()
    last = started()
    assert [*last.draft.awaited] == [Mode.I2V], "what was taken out stays out"
    last.close()
