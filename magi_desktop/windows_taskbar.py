"""The program's button on a Windows taskbar, through ctypes: whose it is, and its progress bar."""

from __future__ import annotations

import ctypes
import sys
import uuid
from functools import lru_cache

APP_ID = "MagiDesktop"
"""Also of the shortcuts that the installer makes, and of its registry keys."""

_CLSID = uuid.UUID("56fdf344-fd6d-11d0-958a-006097c9a090").bytes_le
_IID = uuid.UUID("ea1afb91-9e28-4b86-90e9-9e9f8a5eefaf").bytes_le
_IN_PROCESS = 1
_NO_PROGRESS = 0
# Places in the interface's table of functions.
_INIT, _SET_VALUE, _SET_STATE = 3, 9, 10


def own_button() -> None:
    """Have the windows of this process share one button of their own, and a pinned shortcut be it.

    Otherwise they would count as Python's. To be called before the first window.
    """
    if sys.platform == "win32":
        ctypes.windll.shell32.SetCurrentProcessExplicitAppUserModelID(APP_ID)


def set_progress(window: int, percent: int | None) -> None:
    """Show ``percent`` on the taskbar button of a window handle; None removes it."""
    taskbar = _taskbar()
    if taskbar is None:
        return
    handle = ctypes.c_void_p(window)
    if percent is None:
        _method(taskbar, _SET_STATE, ctypes.c_void_p, ctypes.c_int)(taskbar, handle, _NO_PROGRESS)
    else:
        set_value = _method(
            taskbar, _SET_VALUE, ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_ulonglong
        )
        set_value(taskbar, handle, percent, 100)


@lru_cache(maxsize=1)
def _taskbar() -> ctypes.c_void_p | None:
    if sys.platform != "win32":
        return None
    ole = ctypes.windll.ole32
    ole.CoInitialize(None)
    taskbar = ctypes.c_void_p()
    if ole.CoCreateInstance(_CLSID, None, _IN_PROCESS, _IID, ctypes.byref(taskbar)) != 0:
        return None
    _method(taskbar, _INIT)(taskbar)
    return taskbar


def _method(taskbar: ctypes.c_void_p, place: int, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined]
    table = ctypes.cast(taskbar, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    prototype = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *arguments)
    return prototype(table[place])
