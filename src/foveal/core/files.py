"""Files that appear whole or not at all, and the folders they are in."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from foveal.core.errors import DataError, FovealError, WriteError

Made = TypeVar("Made")

_LEFT_OVER = f".{{}}.{'[0-9a-f]' * 16}.tmp"  # pattern of temporary files: with the name that they become
NAME_BYTES = 200  # a file's name may have 255, and the temporary one beside it is longer


def write_bytes(path: Path, data: bytes, *, new: bool = False) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one.

    Args:
        path: The file.
        data: What it is to hold.
        new: Refuse where a file is there, also one that another process has put there this moment.

    Raises:
        WriteError: The folder is missing, read-only or full, or of a new file one is there; `path` is as it
            was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write_synced(temporary, data)
        if new:
            _put(temporary, path)
        else:
            temporary.replace(path)
        sync_folder(path.parent)
    except BaseException as error:  # also Ctrl-C: nothing half-written stays
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise WriteError(f"cannot write {path}: {error.strerror}", path=path) from error
        raise


def left_over(folder: Path) -> Iterator[Path]:
    """Yield what processes that were killed while they wrote have left in a folder and those below."""
    yield from folder.rglob(_LEFT_OVER.format("*"))


def is_left_over(name: str, *, of: str) -> bool:
    """Return whether a file is called as one that was being written when its process was killed.

    Args:
        name: Of the file, without its folder.
        of: Name of the file that it would have become.
    """
    return fnmatchcase(name, _LEFT_OVER.format(of))


def write_text(path: Path, text: str) -> None:
    r"""Write UTF-8 `text` atomically; halves of letters, from names that are no UTF-8, become `\udce4`."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON atomically; NaN and infinity are refused, they are not JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, make: Callable[[Any], Made], *, code: str = "damaged", hint: str) -> Made:
    """Return what `make` makes of the JSON in a file that foveal wrote.

    Args:
        path: The file.
        make: Takes what the JSON means; a value, key or type that it stumbles over is damage.
        code: Of the error.
        hint: What to do about it.

    Raises:
        DataError: The file is no JSON, holds something else, or cannot be read.
    """
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except FovealError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged: {reason}", code=code, hint=hint, path=path) from error


def append(path: Path, text: str) -> None:
    """Add UTF-8 `text` to the end of a file, which is made if it is missing.

    Raises:
        WriteError: The folder is missing, read-only or full.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}", path=path) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises:
        WriteError: A file is in the way, or the folder above is read-only or full.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make {path}: {error.strerror}", path=path) from error


def is_there(path: Path) -> bool:
    """Return whether something is at a path, as far as the system says; a name may be too long."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Return whether a folder, or a link to one, is at a path; see `is_there`."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, unless it is gone; links are not followed.

    Raises:
        WriteError: The system does not let us; of a folder some part may be gone.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"cannot remove {path}: {error.strerror}", path=path) from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(temporary: Path, path: Path) -> None:
    """Call a file otherwise unless something has that name; where there are no links, the last one wins.

    Raises:
        OSError: Something is there, or it cannot be done.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system such as FAT
        temporary.replace(path)
    else:
        temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power loss, where the system offers that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
