"""`foveal fewshot add` and `remove`: more classes or pictures for a taught bundle; nothing imports torch."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveal.bundle.locate import locate
from foveal.core import files, machine
from foveal.core.errors import DataError, ImageError, NotFoundError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data.dataset import Picture
from foveal.data.decode import LIMITS
from foveal.data.pictures import FilePicture
from foveal.data.tree import read_regular
from foveal.fewshot.deciding import learned
from foveal.fewshot.sealing import Opened, opened, seal
from foveal.fewshot.taught import Taught
from foveal.flows._fewshot import document, features_of


def add(
    bundle: str | Path,
    name: str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Teach a taught bundle a class more, or more of a class, and return the `foveal.fewshot/1` document.

    Head, temperature and the rule for unknown pictures are fitted again to all pictures, from the features that
    the bundle holds. Where anything fails, the bundle is as it was.

    Args:
        bundle: What `teach` made, or a run folder that holds it.
        name: Of the class.
        images: Files, at least one.
        out: File to write; None: the bundle itself.
        force: Replace the file that is there.
        threads: Pictures at once; None takes all processors we may use.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such bundle or picture.
        UsageError: `not_taught`: the bundle was trained; or no picture or name is given.
        DataError: A picture cannot be used, or was taught already.
        WriteError: The file is there and `force` is off, or cannot be written.
    """
    begun = time.monotonic()
    if not images or not name.strip():
        raise UsageError("name a class, and one picture of it or more", code="empty")
    path = locate(bundle)
    target = _target(path, out, force=force)
    known = opened(path)
    pictures = [(str(image), _picture(Path(image))) for image in images]
    shown = features_of(
        known.embedder,
        pictures,
        seed=known.seed,
        threads=threads or machine.usable_cpus(),
        progress=progress,
    )
    more = known.taught.with_pictures(name, shown)
    return _again("add", known, more, target, begun)


def remove(bundle: str | Path, name: str, *, out: Path | None = None, force: bool = False) -> dict[str, Any]:
    """Make a taught bundle forget a class, and return the `foveal.fewshot/1` document.

    Args:
        bundle: What `teach` made, or a run folder that holds it.
        name: Of the class.
        out: File to write; None: the bundle itself.
        force: Replace the file that is there.

    Raises:
        NotFoundError: No such bundle.
        UsageError: The bundle was trained, has no such class, or would be left with one.
        WriteError: The file is there and `force` is off, or cannot be written.
    """
    begun = time.monotonic()
    path = locate(bundle)
    target = _target(path, out, force=force)
    known = opened(path)
    return _again("remove", known, known.taught.without(name), target, begun)


def _again(action: str, known: Opened, taught: Taught, target: Path, begun: float) -> dict[str, Any]:
    found = learned(taught, head=known.head)
    manifest = seal(target, taught, found, known.embedder, seed=known.seed, known=known.golden)
    about = document(action, target, taught, found, manifest)
    return {**about, "seconds": time.monotonic() - begun}


def _target(path: Path, out: Path | None, *, force: bool) -> Path:
    target = path if out is None else out
    if files.is_there(target) and not force:
        raise WriteError(
            f"{target} is there already",
            code="would_overwrite",
            hint="--force replaces it, --out F.foveal writes another file",
            path=target,
        )
    if target.suffix != ".foveal":
        raise UsageError(f"a bundle's name ends in .foveal; got {target.name!r}", path=target)
    return target


def _picture(path: Path) -> Picture:
    """Return a stored picture.

    Raises:
        NotFoundError, DataError: It is not there, or no file of bearable length.
    """
    if not files.is_there(path):
        raise NotFoundError(f"there is no {path}", path=path)
    try:
        return FilePicture(read_regular(path, LIMITS.content_bytes + 1))
    except ImageError as error:
        raise DataError(f"{path}: {error.message}", code=error.code, path=path) from None
