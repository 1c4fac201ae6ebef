"""What every backend does on the far side: call a function by its name, and tell how that ended."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from foveal.core.errors import FovealError
from foveal.core.work import Json

_BUG = "this is a bug in foveal, or in what it was given to run"


def function(entry: str) -> Callable[..., Any]:
    """Return the function that `module:function` names.

    Raises:
        ImportError, AttributeError: There is none.
    """
    module, _, name = entry.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def problem(error: Exception) -> dict[str, Json]:
    """Return what a receipt says of an exception: `{"code", "message", "hint", "path"}`, and its `exit_code`.

    The exit code is null for what is none of our errors.
    """
    if isinstance(error, FovealError):
        return {**error.as_json(), "exit_code": error.exit_code}
    message = f"{type(error).__name__}: {error}"
    return {"code": "internal", "message": message, "hint": _BUG, "path": None, "exit_code": None}
