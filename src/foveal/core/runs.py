"""Run folders: `runs/train-3`, one per command that writes results, and who may write there."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foveal.core import files
from foveal.core.errors import TemporaryError, WriteError

if sys.platform != "win32":
    import fcntl

ROOT = Path("runs")
LOCK = ".lock"
REPLACED = ".replaced"  # folder inside a run: what --force replaces, until the new data are accepted
_LAST = "last"
CONVERTED = "converted.json"
_MARKS = (  # what has both was written by us
    ("recipe.toml", "env.json"), ("fewshot.toml", "env.json"), (CONVERTED, "env.json"),
)  # fmt: skip
_BEGINNING = {LOCK, "command.json", "env.json"}  # all that a run has that was killed as it began
_LONGEST_NAME_BYTES = 256  # no folder's name is longer


def new_run(verb: str, *, out: Path | None = None, force: bool = False) -> Path:
    """Make and return an empty run folder.

    Args:
        verb: First part of the folder's name.
        out: The folder to use; None takes the next free `runs/<verb>-<n>`.
        force: Use `out` even if an earlier run is in it.

    Raises:
        WriteError: `out` holds an earlier run and `force` is off, or anything else; or no folder can be made.
    """
    if out is not None:
        return _chosen(out, force=force)
    try:
        ROOT.mkdir(exist_ok=True)
        taken = [int(m[1]) for p in ROOT.iterdir() if (m := re.fullmatch(rf"{verb}-(\d+)", p.name))]
        number = max(taken, default=0) + 1
        while True:
            run = ROOT / f"{verb}-{number}"
            with suppress(FileExistsError):  # another process may take the same number
                run.mkdir()
                break
            number += 1
    except OSError as error:
        raise WriteError(f"cannot make a folder in {ROOT}: {error.strerror}", path=ROOT) from error
    return run


def _chosen(out: Path, *, force: bool) -> Path:
    refuse_taken(out, force=force)
    files.make_folder(out)
    return out


def refuse_taken(out: Path, *, force: bool) -> None:
    """Refuse, before any work, a folder that `new_run` would refuse; nothing is made.

    Raises:
        WriteError: It is a file, holds an earlier run and `force` is off, or anything else.
    """
    if not files.is_there(out):
        return
    if not out.is_dir():
        raise WriteError(f"{out} is a file", hint="choose a folder with --out", path=out)
    try:
        names = {path.name for path in out.iterdir()}
    except OSError as error:
        raise WriteError(f"cannot read {out}: {error.strerror}", path=out) from error
    if names <= _BEGINNING:
        return
    if not (any(map(names.issuperset, _MARKS)) or REPLACED in names):  # --force replaces runs, nothing else
        raise WriteError(
            f"{out} is not empty, and holds no run", hint="choose another folder with --out", path=out
        )
    if not force:
        raise WriteError(
            f"{out} is not empty: it holds a run",
            hint="choose another --out, or --force to replace that run",
            path=out,
        )


def keep_apart(
    run: Path | None, *data: Path, hint: str = "name a place elsewhere, with --out where it is a run"
) -> None:
    """Refuse a run folder, or a file, by which the data would be written to.

    Args:
        run: The folder or file, there or not; None: a run in `runs`.
        data: What is only to be read: files and folders.
        hint: What to do, with the option of the command.

    Raises:
        WriteError: `inside_data`: it is, holds or lies inside the data.
    """
    asked = run or ROOT
    place = (asked if run else asked / "new").resolve()
    for part in data:
        kept = part.resolve()
        if place == kept or kept in place.parents or place in kept.parents:
            raise WriteError(
                f"what is in {part} is only read; {asked} would be written there",
                code="inside_data",
                hint=hint,
                path=asked,
            )


def find(path: str | Path) -> Path:
    """Return the folder that a run's path means; a path that leads to no other is returned as it is.

    `runs/last` is a link, or a text file with a name in it where links are not allowed.
    """
    path = Path(path)
    try:
        if path.is_symlink():
            run = path.parent / path.readlink()
        elif path.name == _LAST and path.is_file():
            run = path.parent / _told_in(path)
        else:
            return path
        return run if run.is_dir() else path
    except (OSError, ValueError):  # a name that no folder can have
        return path


def _told_in(last: Path) -> str:
    """Return the name in the text file `runs/last`, or its own name where it names no neighbour."""
    with last.open("rb") as file:
        name = file.read(_LONGEST_NAME_BYTES).decode("utf-8", "replace").strip()
    return _LAST if "/" in name or name in ("", ".", "..") else name


def last() -> Path | None:
    """Return the run that `runs/last` leads to, or None."""
    run = find(ROOT / _LAST)
    return None if run.name == _LAST else run


def mark_last(run: Path) -> None:
    """Let `runs/last` lead to this run; a text file with its name where links are not allowed.

    Only a run in `runs` is marked; `find` reads both forms.

    Raises:
        WriteError: It cannot be written.
    """
    run = run.resolve()  # by way of `runs/last`, a link would lead to itself
    if run.parent != ROOT.resolve() or run.name == _LAST:
        return
    marked, fresh = ROOT / _LAST, ROOT / f".{_LAST}-{os.getpid()}"
    try:
        try:
            fresh.symlink_to(run.name)
        except OSError:
            fresh.write_text(run.name + "\n", encoding="utf-8")
        fresh.replace(marked)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise WriteError(f"cannot write {marked}: {error.strerror}", path=marked) from error


def unmark_last(run: Path, former: Path | None) -> None:
    """Let `runs/last` lead where it led before `run` was marked, unless a later run was marked since.

    Raises:
        WriteError: It cannot be written.
    """
    marked = last()
    if marked is None or marked.resolve() != run.resolve():
        return
    if former is not None and former.is_dir():
        mark_last(former)
    else:
        files.remove(ROOT / _LAST)


def claim(out: Path, *, request: str, kind: str) -> None:
    """Make a folder for work that the same call goes on with, or refuse one that holds something else.

    Args:
        out: The folder.
        request: Name of the file in it that says what was asked; it tells a folder of ours.
        kind: What such a folder holds, for people: `build`.

    Raises:
        WriteError: It is a file, cannot be made, or holds something else.
    """
    if files.is_there(out) and not out.is_dir():
        raise WriteError(f"{out} is a file", hint="choose a folder with --out", path=out)
    files.make_folder(out)
    names = {path.name for path in out.iterdir()}
    begun = {LOCK, *(name for name in names if files.is_left_over(name, of=request))}
    if request not in names and not names <= begun:  # it may have been killed while it wrote the request
        raise WriteError(
            f"{out} is not empty, and holds no {kind}", hint="choose another folder with --out", path=out
        )


@contextmanager
def locked(run: Path, lock: str = LOCK) -> Iterator[None]:
    """Hold a run folder for one writer; the lock dies with the process.

    Args:
        run: The folder.
        lock: Name of the file in it that is locked; of another one, another process may hold the lock.

    Raises:
        TemporaryError: Another process writes there.
        WriteError: The folder cannot be written.
    """
    if sys.platform == "win32":  # no such locks: two writers are then the user's to avoid
        yield
        return
    try:
        file = (run / lock).open("w")
    except OSError as error:
        raise WriteError(f"cannot write {run}: {error.strerror}", path=run) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TemporaryError(
                f"another process is writing to {run}", hint="wait for it, or choose another run", path=run
            ) from None
        yield
