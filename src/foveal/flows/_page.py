"""What a command writes for people beside its result: the page, and tables."""

import os
from pathlib import Path

from foveal.core import files, runs
from foveal.core.errors import UsageError, WriteError
from foveal.data import opening


def check_page(path: Path, data: str | Path | None, *, force: bool) -> None:
    """Refuse, before any work, a page that could not be written afterwards; see `check_file`.

    Raises:
        UsageError: Its name is not that of an HTML page.
        WriteError: It could not be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"the page is HTML; {path} is none by its name", hint=f"{path.stem}.html")
    check_file(path, data, force=force)


def check_file(path: Path, data: str | Path | None, *, force: bool) -> None:
    """Refuse, before any work, a file that could not be written afterwards.

    Args:
        path: The file.
        data: What is only to be read, or None.
        force: A file that is there may be replaced.

    Raises:
        WriteError: Something is there and `force` is off, there is no such folder, or it is in the data.
    """
    if data is not None:
        runs.keep_apart(path, *opening.places(data))
    if files.is_there(path) and not force:
        raise WriteError(f"{path} is there already", hint="choose another name, or --force", path=path)
    if not files.is_there(path.parent) or not path.parent.is_dir():
        raise WriteError(f"there is no folder {path.parent}", path=path)
    if len(os.fsencode(path.name)) > files.NAME_BYTES:
        raise WriteError(f"{path.name[:20]}… is too long a name for a file", path=path)
