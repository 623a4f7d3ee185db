"""What the log says of a piece of work that failed."""

from __future__ import annotations

import pytest

from magi_engine.errors import MediaReadError
from magi_engine.runtime.process.errors import UnexpectedError, told_error


def test_a_mistake_of_the_user_is_a_line_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with pytest.raises(MediaReadError) as failed:
        raise MediaReadError("{name} cannot be read.", name="a.png")
    assert told_error(failed.value) is failed.value
    (record,) = caplog.records
    assert record.exc_info is None
    assert "a.png cannot be read." in record.getMessage()


def test_a_mistake_of_ours_is_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError) as failed:
        raise ZeroDivisionError
    assert isinstance(told_error(failed.value), UnexpectedError)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.exc_info
