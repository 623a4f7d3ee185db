"""One drawing gives every icon."""

from pathlib import Path

import icons
from PIL import Image
from PIL.IcoImagePlugin import IcoFile


def test_an_ico_has_every_size_and_each_is_drawn_for_itself(tmp_path: Path) -> None:
    icons.write_ico(tmp_path / "a.ico")
    icons.write_png(tmp_path / "a.png", 16)
    with (tmp_path / "a.ico").open("rb") as file, Image.open(tmp_path / "a.png") as drawn:
        ico = IcoFile(file)
        assert {(16, 16), (32, 32), (48, 48), (256, 256)} <= ico.sizes()
        small = ico.getimage((16, 16)).convert("RGBA")
        assert small.tobytes() == drawn.convert("RGBA").tobytes()
    assert any(small.tobytes()), "something is drawn"
