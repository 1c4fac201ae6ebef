"""Run folders: `runs/train-3`, one per command that writes results, and who may write there."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foveal.core.errors import TemporaryError, WriteError

if sys.platform != "win32":
    import fcntl


def new_run(verb: str, *, out: Path | None = None, force: bool = False) -> Path:
    """Make and return an empty run folder.

    Args:
        verb: First part of the folder's name.
        out: The folder to use; None takes the next free `runs/<verb>-<n>`.
        force: Use `out` even if something is in it.

    Raises:
        WriteError: `out` holds something and `force` is off, or no folder can be made.
    """
    if out is not None:
        return _chosen(out, force=force)
    root = Path("runs")
    try:
        root.mkdir(exist_ok=True)
        taken = [int(m[1]) for p in root.iterdir() if (m := re.fullmatch(rf"{verb}-(\d+)", p.name))]
        number = max(taken, default=0) + 1
        while True:
            run = root / f"{verb}-{number}"
            with suppress(FileExistsError):  # another process may take the same number
                run.mkdir()
                break
            number += 1
    except OSError as error:
        raise WriteError(f"cannot make a folder in {root}: {error.strerror}", path=root) from error
    return run


def _chosen(out: Path, *, force: bool) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not force:
            raise WriteError(
                f"{out} is not empty", hint="choose another --out, or --force to write into it", path=out
            )
    except FileExistsError:
        raise WriteError(f"{out} is a file", hint="choose a folder with --out", path=out) from None
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"cannot make {out}: {error.strerror}", path=out) from error
    return out


def mark_last(run: Path) -> None:
    """Let `runs/last` lead to this run; a text file with its name where links are not allowed.

    Only a run in `runs` is marked; `bundle.locate` reads both forms.

    Raises:
        WriteError: It cannot be written.
    """
    if run.parent != Path("runs"):
        return
    last, fresh = run.parent / "last", run.parent / f".last-{os.getpid()}"
    try:
        try:
            fresh.symlink_to(run.name)
        except OSError:
            fresh.write_text(run.name + "\n", encoding="utf-8")
        fresh.replace(last)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise WriteError(f"cannot write {last}: {error.strerror}", path=last) from error


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run folder for one writer; the lock dies with the process.

    Raises:
        TemporaryError: Another process writes there.
    """
    if sys.platform == "win32":  # no such locks: two writers are then the user's to avoid
        yield
        return
    with (run / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TemporaryError(
                f"another process is writing to {run}", hint="wait for it, or choose another run", path=run
            ) from None
        yield
