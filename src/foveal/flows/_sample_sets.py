"""Small sets of real pictures that everybody may use: where they are, and how they are laid out."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from foveal.core.errors import NotFoundError, UnknownNameError, WriteError

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it

PARTS = tuple(
    f"{split}-{what}-ubyte.gz" for split in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)
_CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

CLASSES = "classes.txt"
Fetch = Callable[[str, Path], None]  # gets a file of Fashion-MNIST by name, and writes it to a path
ABOUT = {
    "digits": "1,797 handwritten digits of 8 × 8 pixels, written from scikit-learn",
    "fashion-mnist": "70,000 grey pictures of clothes, 28 × 28 pixels, MIT licence (Xiao et al., 2017)",
}


def lay_out(name: str, folder: Path, fetch: Fetch | None = None) -> Path:
    """Return `folder` with the data set in it; one that is there already is taken as it is.

    `digits` becomes one folder of PNG files per class. `fashion-mnist` becomes links to the installed
    files, or the files that are fetched, beside the names of its classes.

    Args:
        name: `fashion-mnist` or `digits`.
        folder: Where to lay it out.
        fetch: Gets the files of Fashion-MNIST where it is not installed; None: then it is an error.

    Raises:
        UnknownNameError: No such data set.
        NotFoundError: Fashion-MNIST is not installed, and nothing fetches it.
        WriteError: `folder` holds something else, or cannot be written.
    """
    writers: dict[str, Callable[[Path], None]] = {
        "fashion-mnist": lambda fresh: _fashion_mnist(fresh, fetch),
        "digits": _digits,
    }
    if name not in writers:
        raise UnknownNameError("data", name, writers)
    if name == "fashion-mnist" and not has_fashion_mnist() and fetch is None:
        raise NotFoundError(
            f"Fashion-MNIST is not installed at {FASHION_MNIST}",
            hint="foveal data get fashion-mnist, or install dataset-fashion-mnist, or use --data digits",
            path=FASHION_MNIST,
        )
    if name == "fashion-mnist" and folder.is_dir() and _names(folder) == {*PARTS, CLASSES}:
        return folder  # nothing is fetched twice
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".data-") as temporary:
            fresh = Path(temporary) / name
            fresh.mkdir()
            writers[name](fresh)
            if not folder.exists() or not any(folder.iterdir()):
                fresh.replace(folder)  # whole or not at all
            elif _names(folder) != _names(fresh):
                raise WriteError(
                    f"{folder} holds something else than {name}", hint="name another folder", path=folder
                )
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"cannot write {name} to {folder}: {error.strerror}", path=folder) from error
    return folder


def has_fashion_mnist() -> bool:
    """Return whether Fashion-MNIST is installed on this machine."""
    return all((FASHION_MNIST / part).is_file() for part in PARTS)


def _fashion_mnist(folder: Path, fetch: Fetch | None) -> None:
    for part in PARTS:
        if fetch is None or has_fashion_mnist():
            (folder / part).symlink_to(FASHION_MNIST / part)
        else:
            fetch(part, folder / part)
    (folder / CLASSES).write_text("\n".join(_CLOTHES) + "\n", encoding="utf-8")


def _digits(folder: Path) -> None:
    """Write the handwritten digits of scikit-learn: 8×8 pixels, 1,797 images of 10 classes."""
    from sklearn.datasets import load_digits  # here: the other data set needs no scikit-learn

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # they are 0..16
    for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        place = folder / str(label)
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{index:04d}.png")


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
