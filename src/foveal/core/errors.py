"""Every error this package raises on purpose, with the exit code the command line gives it.

FovealError                 exit  code
├── UsageError                 2  usage
│   └── UnknownNameError       2  unknown_name
├── DataError                 65  bad_data
│   ├── ImageError            65  why one picture is unusable: truncated, too_many_pixels …
│   └── BundleError           65  why a bundle is not to be trusted: tampered, not_a_bundle …
├── NotFoundError             66  not_found
├── MissingExtraError         69  missing_extra
├── DeviceError               69  no_device
├── WriteError                73  cannot_write
├── TemporaryError            75  temporary
└── RecipeError               78  bad_recipe

A message says what was needed, what was got and how to go on. Anything that is not a `FovealError`
is a bug in foveal and exits with 1.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class FovealError(Exception):
    """Base class, so that callers can catch this package's errors and nothing else.

    Attributes:
        code: Stable snake_case name of what is wrong; part of the `--json` contract.
        hint: What to do next, or None.
        path: The file or folder it is about, or None.
        exit_code: What the command line exits with.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        path: str | Path | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.path = None if path is None else str(path)

    def as_json(self) -> dict[str, object]:
        """Return the `error` object of the `--json` contract."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "path": self.path}


class UsageError(FovealError, ValueError):
    """An argument does not make sense."""

    exit_code = 2
    default_code = "usage"


class UnknownNameError(UsageError, LookupError):
    """A name matches nothing in its folder.

    >>> print(UnknownNameError("models", "nanoo", ["nano", "resnet18"]))
    models has no 'nanoo'; did you mean 'nano'? It has: nano, resnet18.
    """

    default_code = "unknown_name"

    def __init__(self, folder: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else "."
        super().__init__(f"{folder} has no {name!r}{guess} It has: {', '.join(names)}.", hint=hint)
        self.name, self.known = name, tuple(names)


class DataError(FovealError, ValueError):
    """A data set, a file or a label is not usable; trying again will not help."""

    exit_code = 65
    default_code = "bad_data"


class ImageError(DataError):
    """One picture cannot be used; `code` says why (`empty`, `not_image`, `truncated` …)."""

    default_code = "bad_image"


class BundleError(DataError):
    """A file is no bundle, or not one to be trusted; nothing of it was loaded."""

    default_code = "bad_bundle"


class NotFoundError(FovealError, LookupError):
    """An input does not exist."""

    exit_code = 66
    default_code = "not_found"


class MissingExtraError(FovealError, ImportError):
    """A part that is not installed is needed; the message names the exact command.

    `install` is that command where the part is no extra of ours but a package of somebody else.
    """

    exit_code = 69
    default_code = "missing_extra"

    def __init__(self, what: str, extra: str, *, install: str | None = None) -> None:
        needed = f"the {extra!r} extra" if install is None else f"the package {extra}"
        install = install or f'pip install "foveal[{extra}]"'
        super().__init__(f"{what} needs {needed}: {install}", hint=install)


class DeviceError(FovealError, RuntimeError):
    """The device that was asked for is not there."""

    exit_code = 69
    default_code = "no_device"


class WriteError(FovealError, OSError):
    """The output cannot be written, or would overwrite something."""

    exit_code = 73
    default_code = "cannot_write"


class TemporaryError(FovealError, RuntimeError):
    """Something outside got in the way; the same command may work later."""

    exit_code = 75
    default_code = "temporary"


class RecipeError(FovealError, ValueError):
    """A recipe has an unknown key or a value outside its range."""

    exit_code = 78
    default_code = "bad_recipe"
