"""The torch network that a bundle was made from, found by the hash of its weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.bundle.predictor import Predictor
from foveal.core import extras, runs
from foveal.core.errors import FovealError, NotFoundError
from foveal.core.steps import file_hash

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

_TOGETHER = ("ensemble", "dropout_masks")
_WEIGHTS, _MODEL, _VARIANTS = "weights.safetensors", "model", "variants"


def twin_of(predictor: Predictor, bundle: Path, run: Path | None) -> "Recognizer | str":
    """Return the network whose weights the bundle's manifest names, or why there is none.

    Args:
        predictor: The bundle, opened.
        bundle: Its file: a run's or a search's folder around it is looked into.
        run: A run folder, or a folder of one variant; None: only around the bundle.

    Raises:
        NotFoundError: There is no such folder.
    """
    if run is not None and not runs.find(run).is_dir():
        raise NotFoundError(f"there is no run folder {run}", path=run)
    if extras.missing("train"):
        return 'torch is not installed: pip install "foveal[train]"'
    from foveal.tasks import recognizer as recognizers

    wanted, seen = predictor.manifest.weights_sha256, 0
    for folder in _candidates(bundle, run):
        weights = folder / _MODEL / _WEIGHTS
        if not weights.is_file():
            continue
        seen += 1
        if file_hash(weights) != wanted:
            continue
        try:
            return recognizers.load(folder / _MODEL)
        except FovealError as error:
            return f"the network in {folder.name} cannot be read: {error.code}"
    if predictor.manifest.model.name in _TOGETHER:
        return "it was put together by foveal export: no run folder holds a network of that kind"
    if run is not None:
        name = runs.find(run).resolve().name  # its place is nobody's business who gets the certificate
        if not seen:
            return f"there is no network in {name}: it is no run folder"
        return f"the network in {name} is of other weights than this file was made from (weights_sha256)"
    return "a bundle holds no network: name its run folder with --twin"


def _candidates(bundle: Path, run: Path | None) -> Iterator[Path]:
    around = [runs.find(run)] if run is not None else []
    around.append(bundle.parent)
    for folder in around:
        yield folder
        yield from sorted(path for path in folder.glob(f"{_VARIANTS}/*") if path.is_dir())
        if folder.parent.name == _VARIANTS:
            yield from sorted(path for path in folder.parent.iterdir() if path.is_dir())
