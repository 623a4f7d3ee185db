"""A Python for Windows that keeps to itself, wherever its folder is copied to."""

from __future__ import annotations

from pathlib import Path

PACKAGES = Path("Lib", "site-packages")
"""Below its folder."""


def make_private(folder: Path) -> None:
    """Have the Python in ``folder`` look for modules there only.

    The file this writes is read before anything else. With it, neither variables of the
    environment, nor the registry, nor packages of the user's own Python count. Both kinds of
    folders serve: the one made to be embedded, with its library in an archive, and the ordinary
    one, with ``Lib`` and ``DLLs``.

    Raises:
        FileNotFoundError: there is no Python.
    """
    library = next(folder.glob("python3[0-9]*.dll"), None)
    if library is None:
        raise FileNotFoundError(f"{folder} holds no Python for Windows")
    places = [path.name for path in folder.glob("python3*.zip")]
    if (folder / "Lib" / "os.py").is_file():
        places.append("Lib")
    if (folder / "DLLs").is_dir():
        places.append("DLLs")
    lines = (*places, ".", str(PACKAGES).replace("/", "\\"), "import site", "")
    (folder / f"{library.stem}._pth").write_text("\n".join(lines), encoding="utf-8")
