"""What the frozen program is made of, as computed; packaging/frozen_check.py proves the result."""

import importlib.util
from pathlib import PurePath

import freezing
import pytest

T5 = "transformers.models.t5.modeling_t5"


def test_what_is_started_by_name_is_in_it_and_the_training_is_not() -> None:
    modules = freezing.hidden_modules()
    assert {"magi_engine.runtime.engine_child", "magi_engine.install.child", T5} <= set(modules)
    assert not any(name.startswith("magi_engine.training") for name in modules)
    missing = [m for m in modules if m.startswith("magi_") and importlib.util.find_spec(m) is None]
    assert missing == []


def test_only_what_the_project_does_not_need_is_left_out() -> None:
    unused = freezing.unused_modules()
    assert {"pytest", "ruff", "transformers.models.bert"} <= set(unused)
    assert {"cuda", "nvidia"} <= set(unused)  # the torch that is frozen has no CUDA
    for needed in ("torch", "numpy", "PySide6", "transformers", "transformers.models.t5", "yaml"):
        assert needed not in unused


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/plugins/platforms/qwindows.dll", True),
        ("PySide6/Qt/plugins/platforms/libqeglfs.so", False),
        ("PySide6/Qt/plugins/imageformats/libqsvg.so", True),
        ("PySide6/Qt/plugins/imageformats/libqpdf.so", False),
        ("PySide6/Qt/plugins/sqldrivers/libqsqlite.so", False),
        ("PySide6/Qt/translations/qtbase_zh_CN.qm", True),
        ("PySide6/Qt/translations/qtbase_fr.qm", False),
        ("magi_engine/_resources/translations/magi_zh_CN.qm", True),
        ("libcudart.so", False),
        ("torch/lib/libtorch_cpu.so", True),
    ],
)
def test_of_qt_only_what_is_used_is_taken(file: str, wanted: bool) -> None:
    assert freezing.is_wanted(PurePath(file)) is wanted
