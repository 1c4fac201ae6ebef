"""The main job on a small set of real images that is already on the machine: nothing is downloaded."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from foveal.core.errors import NotFoundError, UnknownNameError, WriteError
from foveal.core.progress import Progress, silent
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe

SCHEMA = "foveal.demo/1"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it

_PARTS = tuple(
    f"{split}-{what}-ubyte.gz" for split in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)
_CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
# Enough to see what it can do, not the best it can do. A budget of passes cannot be too short.
_LENGTH: dict[str, dict[str, float]] = {"fashion-mnist": {"time_seconds": 120.0}, "digits": {"epochs": 12.0}}


def demo(
    name: str | None = None,
    *,
    folder: Path | None = None,
    recipe: Recipe | None = None,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Lay out a data set and train on it; the document is that of a training plus `data`.

    Args:
        name: `fashion-mnist` or `digits`; None takes the first that the machine has.
        folder: Where to lay the data out; None: `demo/<name>`.
        recipe: As for `train`; without epochs and time it is kept to about two minutes.
        out: Run folder; None: `runs/train-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        UnknownNameError: No such data set.
        NotFoundError: Fashion-MNIST is not installed.
        WriteError: `folder` holds something else, or cannot be written.
    """
    name = name or ("fashion-mnist" if _has_fashion_mnist() else "digits")
    data = lay_out(name, folder or Path("demo") / name)
    recipe = recipe or Recipe()
    if recipe.epochs is None and recipe.time_seconds is None:
        recipe = recipe.changed(**_LENGTH[name])
    result = train(data, recipe=recipe, out=out, force=force, progress=progress)
    return replace(result, document={**result.document, "schema": SCHEMA, "data": str(data)})


def lay_out(name: str, folder: Path) -> Path:
    """Return `folder` with the data set in it; one that is there already is taken as it is.

    `digits` becomes one folder of PNG files per class. `fashion-mnist` becomes links to the installed
    files beside the names of its classes.

    Raises:
        UnknownNameError: No such data set.
        NotFoundError: Fashion-MNIST is not installed.
        WriteError: `folder` holds something else, or cannot be written.
    """
    writers: dict[str, Callable[[Path], None]] = {"fashion-mnist": _fashion_mnist, "digits": _digits}
    if name not in writers:
        raise UnknownNameError("demo", name, writers)
    if name == "fashion-mnist" and not _has_fashion_mnist():
        raise NotFoundError(
            f"Fashion-MNIST is not installed at {FASHION_MNIST}",
            hint="install the package dataset-fashion-mnist, or use --data digits",
            path=FASHION_MNIST,
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".demo-") as temporary:
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


def _has_fashion_mnist() -> bool:
    return all((FASHION_MNIST / part).is_file() for part in _PARTS)


def _fashion_mnist(folder: Path) -> None:
    for part in _PARTS:
        (folder / part).symlink_to(FASHION_MNIST / part)
    (folder / "classes.txt").write_text("\n".join(_CLOTHES) + "\n", encoding="utf-8")


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
