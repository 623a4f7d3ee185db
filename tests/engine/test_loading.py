"""What does not load is told by its cause, in the words of the systems themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from magi_engine.loading import load_error
from magi_engine.runtime.process.errors import UnexpectedError, named_error

# Sentences of Windows 11, of glibc, and of Python about them.
SAID = {
    'OSError: [WinError 126] Das angegebene Modul wurde nicht gefunden. Error loading "C:\\a\\c10'
    '.dll" or one of its dependencies.': "Visual C++ runtime",
    "OSError: [WinError 1114] Eine DLL-Initialisierungsroutine ist fehlgeschlagen. Error loading "
    '"c10.dll" or one of its dependencies.': "Visual C++ runtime",
    "ImportError: DLL load failed while importing QtCore: 找不到指定的模块。": "Visual C++ runtime",
    "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory": (
        "lacks the library libEGL.so.1"
    ),
    "ImportError: /lib/libc.so.6: version `GLIBC_2.34' not found (required by Qt)": "GLIBC_2.34",
    "OSError: [WinError 1455] The paging file is too small for this operation to complete.": (
        "too little memory"
    ),
    "ImportError: a.so: failed to map segment from shared object": "noexec",
    "[WinError 4551] An Application Control policy has blocked this file": "App & browser control",
    "exit code 3221225501": "processor is too old",
    "exit code -4": "processor is too old",
    "Command '['python']' timed out after 900 seconds": "more than fifteen minutes",
}


@pytest.mark.parametrize("said", SAID)
def test_a_known_cause_is_told_with_what_helps(said: str) -> None:
    error = load_error(said)
    assert error is not None
    assert SAID[said] in str(error)
    assert str(error.message).endswith(".")
    assert str(error.hint).endswith(".")


@pytest.mark.parametrize("said", ["exit code -11", "exit code 43", "SyntaxError: invalid syntax"])
def test_no_cause_is_made_up(said: str) -> None:
    assert load_error(said) is None


def test_only_what_does_not_load_is_told_so() -> None:
    lacking = named_error(ImportError("libcuda.so.1: cannot open shared object file: No such"))
    assert "libcuda.so.1" in str(lacking.message)
    assert isinstance(named_error(PermissionError(13, "Permission denied")), UnexpectedError)


def test_an_error_is_named_even_if_torch_does_not_load() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from magi_engine.runtime.process.errors import named_error\n"
        "try: import torch\n"
        "except ImportError as error: print(type(named_error(error)).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "UnexpectedError", done.stderr
