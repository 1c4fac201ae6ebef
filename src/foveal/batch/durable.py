"""Files that are there, whole, once a function has returned, whatever happens to the machine afterwards.

Each step is a place where a test can let the process fail (`core/failpoints.py`).
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from foveal.core import failpoints
from foveal.core.errors import WriteError
from foveal.core.files import sync_folder


def write_new(path: Path, pieces: Iterable[bytes], place: str) -> None:
    """Write a file that is not there yet, and wait until it is on the disk.

    Args:
        path: The file; its entry in the folder may still be lost with the power.
        pieces: What is in it.
        place: Failpoints are called `<place>.write` and `<place>.sync`.

    Raises:
        WriteError: The disk is full or broken, or the file is there.
    """
    try:
        with path.open("xb") as file:
            for piece in pieces:
                file.write(failpoints.passing(f"{place}.write", piece))
                if failpoints.is_dying():
                    file.flush()
                failpoints.written()
            file.flush()
            failpoints.reach(f"{place}.sync")
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def publish_first(path: Path, pieces: Iterable[bytes], place: str) -> bool:
    """Let a file appear whole, unless another process was first; return whether ours is the one.

    Raises:
        WriteError: As `write_new`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        write_new(temporary, pieces, place)
        failpoints.reach(f"{place}.publish")
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return True


def move(source: Path, target: Path, place: str) -> None:
    """Give a file its name, in place of what had it before, and wait until that is on the disk.

    Raises:
        WriteError: As `write_new`.
    """
    try:
        failpoints.reach(f"{place}.rename")
        source.replace(target)
        failpoints.reach(f"{place}.sync")
        sync_folder(target.parent)
        if source.parent != target.parent:
            sync_folder(source.parent)
    except OSError as error:
        raise cannot_write(target, error) from error


def cannot_write(path: Path, error: OSError) -> WriteError:
    """Return what to raise where the system did not let us write."""
    if isinstance(error, WriteError):
        return error
    return WriteError(
        f"cannot write {path}: {error.strerror}",
        hint="what is finished is kept: the same line again goes on once there is room",
        path=path,
    )
