"""`foveal fewshot add` and `remove`: more classes or pictures for a taught bundle; nothing imports torch."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.bundle.archive import SUFFIX
from foveal.bundle.locate import locate
from foveal.core import files, machine
from foveal.core.errors import DataError, ImageError, NotFoundError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data.dataset import Picture
from foveal.data.decode import LIMITS
from foveal.data.inventory import hash_of
from foveal.data.pictures import FilePicture
from foveal.data.tree import read_regular
from foveal.fewshot.deciding import learned
from foveal.fewshot.sealing import Opened, made_from, opened, seal
from foveal.fewshot.taught import Taught
from foveal.flows._fewshot import document, features_of


@dataclass(frozen=True)
class Target:
    """Where a bundle that was taught more is written.

    Attributes:
        out: The file; None: the bundle itself.
        force: Replace the file that is there.
    """

    out: Path | None = None
    force: bool = False

    def place(self, bundle: Path) -> Path:
        """Return the file to write.

        Raises:
            UsageError: Its name has another ending.
            WriteError: `would_overwrite`: it is there, and `force` is off.
        """
        path = self.out or bundle
        if path.suffix != SUFFIX:
            raise UsageError(f"a bundle's name ends in {SUFFIX}; got {path.name!r}", path=path)
        if files.is_there(path) and not self.force:
            raise WriteError(
                f"{path} is there already",
                code="would_overwrite",
                hint="--force replaces it, --out F.foveal writes another file",
                path=path,
            )
        return path


def add(
    bundle: str | Path,
    name: str,
    images: Sequence[str | Path],
    *,
    target: Target | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Teach a taught bundle a class more, or more of a class, and return the `foveal.fewshot/1` document.

    Head, temperature and the rule for unknown pictures are fitted again to all pictures, from the features
    that the bundle holds. Where anything fails, the bundle is as it was.

    Args:
        bundle: What `teach` made, or a run folder that holds it.
        name: Of the class.
        images: Files, at least one.
        target: Where to write; None: a bundle is not replaced unasked.
        threads: Pictures at once; None takes all processors we may use.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such bundle or picture.
        UsageError: `not_taught`: the bundle was trained; `edge_blank`: a new class whose name begins or ends
            with a blank; or no picture or name is given.
        DataError: A picture cannot be used, was taught already or comes twice.
        WriteError: The file is there and `force` is off, or cannot be written.
    """
    begun = time.monotonic()
    if not images or not name.strip():
        raise UsageError("name a class, and one picture of it or more", code="empty")
    path = locate(bundle)
    place = (target or Target()).place(path)
    known = opened(path)
    _check_edges(name, known.taught)
    pictures = [(str(image), _picture(Path(image))) for image in images]
    shown = features_of(
        known.embedder,
        pictures,
        seed=known.seed,
        threads=threads or machine.usable_cpus(),
        progress=progress,
    )
    sources, stored = zip(*pictures, strict=True)
    more = known.taught.with_pictures(name, shown, sources, [hash_of(one) for one in stored])
    return _again("add", known, more, place, begun)


def remove(bundle: str | Path, name: str, *, target: Target | None = None) -> dict[str, Any]:
    """Make a taught bundle forget a class, and return the `foveal.fewshot/1` document.

    Args:
        bundle: What `teach` made, or a run folder that holds it.
        name: Of the class.
        target: Where to write; None: a bundle is not replaced unasked.

    Raises:
        NotFoundError: No such bundle.
        UsageError: The bundle was trained, has no such class, or would be left with one.
        WriteError: The file is there and `force` is off, or cannot be written.
    """
    begun = time.monotonic()
    path = locate(bundle)
    place = (target or Target()).place(path)
    known = opened(path)
    return _again("remove", known, known.taught.without(name), place, begun)


def _again(action: str, known: Opened, taught: Taught, target: Path, begun: float) -> dict[str, Any]:
    found = learned(taught, head=known.head)
    data = made_from(taught, seed=known.seed)
    manifest = seal(target, taught, found, known.embedder, data=data, known=known.golden)
    about = document(action, target, taught, found, manifest)
    return {**about, "seconds": time.monotonic() - begun}


def _check_edges(name: str, taught: Taught) -> None:
    """Refuse a name that only a blank tells from another one; a folder that was taught may have it."""
    if name != name.strip() and unicodedata.normalize("NFC", name) not in taught.classes:
        raise UsageError(
            f"{name!r} begins or ends with a blank", code="edge_blank", hint=f"name it {name.strip()!r}"
        )


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
