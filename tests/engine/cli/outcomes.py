"""What ``magi`` says, for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Generate = Callable[..., int]


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error, which is one line on stderr, with nothing on stdout and no traceback."""
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, err
    assert err.splitlines()[-1] == errors[0]
    return errors[0]
