"""Which build of torch a computer gets, and why."""

import ctypes
from pathlib import Path
from typing import Any

import pytest

from magi_setup import machine
from magi_setup.machine import CPU, Choice, Driver, Gpu, Machine, Reason, Vendor, choose_flavor

OFFERED = ("cpu", "cu126", "cu130")

GTX_680 = Gpu("NVIDIA GeForce GTX 680", (3, 0))
GTX_1080 = Gpu("NVIDIA GeForce GTX 1080", (6, 1))
RTX_2060 = Gpu("NVIDIA GeForce RTX 2060", (7, 5))
RTX_4090 = Gpu("NVIDIA GeForce RTX 4090", (8, 9))
RTX_5090 = Gpu("NVIDIA GeForce RTX 5090", (12, 0))
R470, R535, R570, R580, R590 = (11, 4), (12, 2), (12, 8), (13, 0), (13, 1)
"""What drivers say of the newest CUDA they run."""


def with_driver(cuda: tuple[int, int], *gpus: Gpu) -> Machine:
    return Machine(Driver("1", cuda, gpus), frozenset({Vendor.NVIDIA}))


def names(*gpus: Gpu) -> tuple[str, ...]:
    return tuple(gpu.name for gpu in gpus)


@pytest.mark.parametrize(
    ("found", "choice"),
    [
        # Nothing that computes.
        (Machine(None), Choice(CPU, Reason.NO_GPU)),
        (Machine(Driver("1", R580, ())), Choice(CPU, Reason.NO_GPU)),  # a card that was taken out
        (Machine(None, frozenset({Vendor.AMD})), Choice(CPU, Reason.OTHER_GPU)),
        (Machine(None, frozenset({Vendor.INTEL})), Choice(CPU, Reason.OTHER_GPU)),
        (Machine(None, frozenset({Vendor.NVIDIA})), Choice(CPU, Reason.NO_DRIVER)),
        (Machine(None, frozenset({Vendor.INTEL, Vendor.NVIDIA})), Choice(CPU, Reason.NO_DRIVER)),
        # One GPU.
        (with_driver(R580, RTX_4090), Choice("cu130", Reason.GPU, names(RTX_4090))),
        (with_driver(R535, RTX_4090), Choice("cu126", Reason.GPU, names(RTX_4090))),
        (with_driver(R470, RTX_4090), Choice(CPU, Reason.DRIVER_TOO_OLD, names(RTX_4090))),
        (with_driver(R590, RTX_5090), Choice("cu130", Reason.GPU, names(RTX_5090))),
        # 12.6 has nothing for Blackwell, and this driver does not run CUDA 13.
        (with_driver(R570, RTX_5090), Choice(CPU, Reason.DRIVER_TOO_OLD, names(RTX_5090))),
        (with_driver(R580, RTX_2060), Choice("cu130", Reason.GPU, names(RTX_2060))),
        # CUDA 13 has nothing for Pascal, whatever the driver.
        (with_driver(R590, GTX_1080), Choice("cu126", Reason.GPU, names(GTX_1080))),
        (with_driver(R470, GTX_680), Choice(CPU, Reason.GPU_TOO_OLD, names(GTX_680))),
        # Several.
        (
            with_driver(R580, RTX_4090, RTX_5090),
            Choice("cu130", Reason.GPU, names(RTX_4090, RTX_5090)),
        ),
        (
            with_driver(R580, GTX_1080, RTX_4090),
            Choice("cu130", Reason.GPU, names(RTX_4090), names(GTX_1080)),
        ),
        (
            with_driver(R570, RTX_5090, RTX_4090),
            Choice("cu126", Reason.GPU, names(RTX_4090), names(RTX_5090)),
        ),
        # AMD's graphics in the processor beside an NVIDIA card.
        (
            Machine(Driver("1", R580, (RTX_4090,)), frozenset({Vendor.AMD, Vendor.NVIDIA})),
            Choice("cu130", Reason.GPU, names(RTX_4090)),
        ),
    ],
)
def test_the_newest_build_that_driver_and_gpu_run(found: Machine, choice: Choice) -> None:
    assert choose_flavor(found, OFFERED) == choice


def test_a_release_for_the_cpu_alone_offers_the_cpu() -> None:
    assert choose_flavor(with_driver(R580, RTX_4090), ("cpu",)).flavor == CPU


def test_cards_are_found_where_the_kernel_lists_them(tmp_path: Path) -> None:
    for card, vendor in (("card0", "0x10de"), ("card1", "0x1002"), ("card1-DP-1", "0x1002")):
        (tmp_path / card / "device").mkdir(parents=True)
        (tmp_path / card / "device" / "vendor").write_text(f"{vendor}\n")
    assert set(machine._linux_vendors(tmp_path)) == {Vendor.NVIDIA.value, Vendor.AMD.value}
    assert set(machine._linux_vendors(tmp_path / "nowhere")) == set()


class OldDriver:
    """Answers as a driver for GPUs of long ago: some questions it has never heard of."""

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlShutdown(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, device: Any) -> int:
        del device
        return 15 if index == 1 else 0  # the second has fallen off the bus

    def nvmlDeviceGetName(self, device: Any, name: Any, length: int) -> int:
        del device, length
        name.value = b"GeForce GTX 480"
        return 0


def test_a_driver_that_does_not_know_every_question_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: OldDriver())
    driver = machine.probe().driver
    assert driver == Driver("", (0, 0), (Gpu("GeForce GTX 480", (0, 0)),))
    assert choose_flavor(Machine(driver), OFFERED).flavor == "cpu"


def test_looking_at_this_computer_never_fails() -> None:
    assert choose_flavor(machine.probe(), OFFERED).flavor in OFFERED
