from __future__ import annotations

import pytest
import torch

from magi_engine.errors import InvalidRequestError
from magi_engine.sampling.schedule import (
    check_steps,
    legal_steps,
    step_code,
    step_intervals,
    timestep_schedule,
)

MODES = ("8,16,16", "16,16,8")


def shifted(x: float) -> float:
    """The spec's shift by 3, of the square."""
    square = x * x
    return square / 3 / (1 + (1 / 3 - 1) * square)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_steps", [1, 4, 8, 16, 20, 32, 64])
def test_equal_steps_are_squared_and_shifted(num_steps: int, mode: str) -> None:
    times = timestep_schedule(num_steps, mode)
    expected = [shifted(i / num_steps) for i in range(num_steps + 1)]
    assert times.dtype is torch.float32
    torch.testing.assert_close(times.double().tolist(), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize(("mode", "base"), [(MODES[0], (0, 2, 3)), (MODES[1], (0, 1, 2))])
def test_twelve_steps_are_unequal(mode: str, base: tuple[int, ...]) -> None:
    points = [quarter / 4 + sixteenths / 16 for quarter in range(4) for sixteenths in base] + [1]
    times = timestep_schedule(12, mode)
    torch.testing.assert_close(times.double().tolist(), [*map(shifted, points)], rtol=0, atol=3e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_steps", range(1, 65))
def test_times_rise_from_noise_to_clean(num_steps: int, mode: str) -> None:
    times = timestep_schedule(num_steps, mode)
    assert len(times) == num_steps + 1
    assert times[0] == 0
    assert times[-1].item() == pytest.approx(1, abs=2e-7)
    assert (times.diff() > 0).all()


@pytest.mark.parametrize(
    ("num_steps", "window", "mode", "expected"),
    [
        (12, 4, MODES[0], [2, 1, 1]),
        (12, 4, MODES[1], [1, 1, 2]),
        (12, 2, MODES[0], [2, 1, 1, 2, 1, 1]),
        (24, 4, MODES[1], [1, 1, 2, 1, 1, 2]),
        (16, 4, MODES[0], [1, 1, 1, 1]),
        (8, 1, MODES[1], [1] * 8),
    ],
)
def test_intervals_repeat_when_steps_come_in_threes(
    num_steps: int, window: int, mode: str, expected: list[float]
) -> None:
    assert step_intervals(num_steps, window, mode) == expected


def test_the_step_code_tells_how_long_a_step_is() -> None:
    assert [step_code(n, 1) for n in (8, 16, 64)] == [4, 8, 32]
    assert [step_code(12, interval) for interval in (1, 2)] == [8, 4]


@pytest.mark.parametrize("window", range(1, 9))
@pytest.mark.parametrize("kv_stages", [1, 2, 3, 4, 5])
def test_legal_steps_split_evenly_and_nothing_else_passes(window: int, kv_stages: int) -> None:
    legal = legal_steps(window, kv_stages)
    assert legal
    for steps in range(-4, 129):
        if steps in legal:
            assert steps > 0
            assert steps % window == steps % kv_stages == 0
            check_steps(steps, window, kv_stages)
        else:
            with pytest.raises(InvalidRequestError, match=f"^{steps} steps do not work"):
                check_steps(steps, window, kv_stages)


@pytest.mark.parametrize("steps", [128, 256, 1000])
def test_many_steps_are_slow_but_legal(steps: int) -> None:
    check_steps(steps, 4, 4)


def test_the_error_names_the_nearest_legal_steps() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_steps(17, 4, 4)
    assert str(caught.value.hint) == "Choose 12, 16 or 20 steps."
    with pytest.raises(InvalidRequestError) as caught:
        check_steps(0, 8, 4)
    assert str(caught.value.hint) == "Choose 8, 16 or 24 steps."
    with pytest.raises(InvalidRequestError) as caught:  # few step counts fit so odd a range
        check_steps(100, 8, 17)
    assert str(caught.value.hint) == "Choose 136, 272 or 408 steps."


@pytest.mark.parametrize("window", [-1, 0, 9, 16])
def test_windows_beyond_eight_are_refused(window: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_steps(144, window, 4)
    assert str(caught.value.hint) == "Choose a window from 1 to 8."
