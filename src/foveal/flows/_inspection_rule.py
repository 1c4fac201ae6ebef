"""The rule of an inspection, proven on the calibration part and sealed into the bundle."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.calibrate.inspection.calibrated import Asked, CalibratedInspection, calibrated_inspection
from foveal.calibrate.inspection.fit import Demands
from foveal.core.errors import DataError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._defects import called_good
from foveal.data.inventory import content_hashes
from foveal.data.pair import LAYERS
from foveal.export.ruled import with_rule
from foveal.flows._held_out import Picked, pick
from foveal.flows._judged_parts import defective_parts
from foveal.flows._sealed import Sealed
from foveal.train.examples import Examples


def seal_rule(  # noqa: PLR0913 - from where to where, on what, and how
    bundle: Path,
    out: Path,
    dataset: Dataset,
    demands: Demands,
    *,
    good: tuple[str, ...] = (),
    threads: int,
    progress: Progress,
) -> CalibratedInspection:
    """Fit the rule on the calibration part of the training data, and seal the bundle with it.

    Args:
        bundle: Whose answers prove it.
        out: The file to write, perhaps the same; what was attached to the bundle is not attached to it.
        dataset: That it was trained on.
        demands: What is asked of the rule.
        good: Of a classifier: the classes that are good.
        threads: Parts at once.
        progress: Told about the parts.

    Raises:
        DataError: The data are not those of the training, or do not say which parts are defective.
        WriteError: The bundle cannot be replaced.
    """
    predictor = Predictor.open(bundle, threads=threads)
    hashes = content_hashes(dataset, progress=progress)
    picked = pick(dataset, hashes, Sealed.at(bundle, predictor.manifest), split="calib", progress=progress)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".calib-") as folder:
        parts = _read(predictor, picked, Path(folder) / "pixels", threads=threads, progress=progress)
        asked = Asked(
            predictor.ask,
            predictor.manifest.task,
            predictor.classes,
            good,
            LAYERS if predictor.preprocess.pair is not None else 1,
        )
        rows = picked.indices[parts.indices]
        found = calibrated_inspection(asked, parts, defective_parts(picked.dataset, rows, good=good), demands)
        del parts
    with_rule(archive.read(bundle), found.rule, out)
    return found


def _read(predictor: Predictor, picked: Picked, path: Path, *, threads: int, progress: Progress) -> Examples:
    """Return those of the parts that can be read, at model size in a file."""
    preprocess, count = predictor.preprocess, len(picked.indices)
    shape = (count, *preprocess.shape)
    pixels: UInt8 = np.empty(shape, np.uint8) if count == 0 else np.memmap(path, np.uint8, "w+", shape=shape)
    there: NDArray[np.bool_] = np.zeros(count, np.bool_)

    def read(position: int) -> None:
        try:
            picture = picked.dataset.read(int(picked.indices[position]))
            pixels[position] = preprocess(picture.decode(preprocess.channels))
            there[position] = True
        except DataError:  # the check of the training told of it
            return

    for done, _ in enumerate(in_order(read, range(count), workers=threads, name="foveal-calib"), start=1):
        progress("calibrating", done, count)
    rows = np.flatnonzero(there)
    units = picked.units[picked.indices]
    return Examples(pixels, np.zeros(count, np.int64), rows, units)


def good_classes(dataset: Dataset, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes of plain pictures that are good: those that are named, and those called so."""
    return tuple(name for name in dataset.classes if name in named or called_good(name))
