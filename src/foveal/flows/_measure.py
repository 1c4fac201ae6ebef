"""Measure the file that ships, on the test part of the data it was made from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core.errors import WriteError
from foveal.core.progress import Progress
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._prepare import Prepared


def measure_bundle(
    bundle: Path, prepared: Prepared, *, threads: int, progress: Progress
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Open the sealed file as anybody would, measure it, and attach the report.

    Args:
        bundle: The sealed file.
        prepared: The test images at model size, made by the same preprocessing that serves.
        threads: Batches at once.
        progress: Told a few times a second.

    Returns:
        The document, and the class that was answered for each test picture, int64 (N,).
    """
    split, store = prepared.split, prepared.store
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=1)  # batches run side by side
    held_out = HeldOut.of_images(store.images, store.labels, prepared.dataset.sources, split.test)
    units = split.units[split.test]
    held_out = replace(held_out, fingerprint=split.fingerprint, split_seed=split.seed, units=units)
    measured = report(predictor, held_out, seed=split.seed, threads=threads, progress=progress)
    # The pictures were read and decoded before, so their rate would be none that anybody serves at.
    measured = replace(measured, provenance={**measured.provenance, "images_per_second": None})
    try:
        archive.attach_report(bundle, measured.without_names().as_json())  # names of pictures stay in the run
    except WriteError as error:
        if error.code != "too_many_bytes":  # that of thousands of classes stays in the run
            raise
    return replace(measured, bundle=str(bundle)).as_json(), measured.answers
