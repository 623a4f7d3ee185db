"""The window answers at all times, and playback keeps its pace while the engine works."""

from __future__ import annotations

from magi_desktop.state.jobs import Phase
from tests.e2e.conftest import App
from tests.gap_meter import GapMeter

_LONGEST_GAP_S = 0.05


def test_no_gap_of_the_event_loop_above_50_ms_during_a_generation(
    app: App, gap_meter: GapMeter
) -> None:
    app.short(chunks=3)
    gap_meter.start()
    app.generate()
    app.wait_for(Phase.FINISHED)
    app.wait_idle()
    worst = sorted(gap_meter.gaps)[-5:]
    assert len(gap_meter.gaps) > 100
    assert worst[-1] <= _LONGEST_GAP_S, worst
