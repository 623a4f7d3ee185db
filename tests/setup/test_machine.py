"""Which build of torch a computer gets."""

import pytest

from magi_setup.machine import CPU, Driver, Gpu, Reason, choose_flavor

OFFERED = ("cpu", "cu126", "cu130")


def driver(cuda: tuple[int, int], *capabilities: tuple[int, int]) -> Driver:
    return Driver("1", cuda, tuple(Gpu("GPU", c) for c in capabilities))


@pytest.mark.parametrize(
    ("found", "flavor", "reason"),
    [
        (None, CPU, Reason.NO_DRIVER),
        (driver((13, 0)), CPU, Reason.NO_GPU),
        (driver((13, 0), (8, 9)), "cu130", Reason.GPU),
        (driver((12, 2), (8, 9)), "cu126", Reason.GPU),  # every driver of CUDA 12 runs 12.6
        (driver((13, 1), (6, 1)), "cu126", Reason.GPU),  # CUDA 13 has nothing for Pascal
        (driver((13, 0), (12, 0)), "cu130", Reason.GPU),
        (driver((12, 8), (12, 0)), CPU, Reason.DRIVER_TOO_OLD),  # 12.6 has nothing for Blackwell
        (driver((11, 8), (8, 6)), CPU, Reason.DRIVER_TOO_OLD),
        (driver((12, 2), (3, 5)), CPU, Reason.GPU_TOO_OLD),
        (driver((13, 0), (6, 1), (8, 9)), "cu130", Reason.GPU),  # the best one counts
    ],
)
def test_the_newest_build_that_driver_and_gpu_run(
    found: Driver | None, flavor: str, reason: Reason
) -> None:
    choice = choose_flavor(found, OFFERED)
    assert (choice.flavor, choice.reason) == (flavor, reason)
