"""PyInstaller: torch's libraries, without its tests, headers, tools and sources.

PyInstaller's own hook takes every module and every file. What is imported it finds without that,
and packaging/freezing.py adds what is imported by name.
"""

from pathlib import Path

from PyInstaller.utils.hooks import (  # pyright: ignore[reportMissingModuleSource]
    PY_DYLIB_PATTERNS,
    collect_dynamic_libs,
    get_package_paths,
)

_PACKAGE = Path(get_package_paths("torch")[1])

module_collection_mode = "pyz"
warn_on_missing_hiddenimports = False
binaries = [
    (source, target)
    for source, target in collect_dynamic_libs(
        "torch", search_patterns=[*PY_DYLIB_PATTERNS, "*.so.*"]
    )
    if Path(source).parent.name == "lib" and "test" not in Path(source).name
]
# Shares memory between processes.
binaries += [(str(path), "torch/bin") for path in _PACKAGE.glob("bin/torch_shm_manager*")]
# Links to them in the top folder would mislead torch about where its libraries are.
bindepend_symlink_suppression = ["**/torch/lib/*.so*"]
