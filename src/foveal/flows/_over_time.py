"""How the answers of a network that decides in time come about, measured on the test pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from foveal.core import files
from foveal.core.progress import Progress
from foveal.evaluate import over_time
from foveal.flows._prepare import Prepared
from foveal.models import OverTime
from foveal.report import over_time as drawn
from foveal.report.page import with_over_time
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

_BATCH = 256


@torch.no_grad()
def measured_over_time(
    recognizer: Recognizer, prepared: Prepared, *, progress: Progress
) -> dict[str, Any] | None:
    """Return the `over_time` object of `foveal.train/1`, or None for a network that answers at once.

    It is the trained network that is asked, in float32, once the exported file was found to answer as it
    does: the file gives the last answer, and no steps.

    Args:
        recognizer: What was trained.
        prepared: Gives the test pictures.
        progress: Told after every batch.
    """
    network = recognizer.network
    if not isinstance(network, OverTime):
        return None
    network.eval()
    test = prepared.examples("test")
    readings, inner, operations = [], [], []
    multiply_adds = 0
    for start in range(0, len(test), _BATCH):
        progress("over time", start, len(test))
        images = torch.from_numpy(test.images[test.indices[start : start + _BATCH]])
        course = network.over_time(learn.normalize(images, recognizer.preprocess))
        readings.append(
            over_time.read(course.evidence.numpy(), course.potentials.numpy(), course.spikes.numpy())
        )
        inner.append(course.inner_spikes.double().numpy())
        operations.append(course.operations.double().numpy())
        multiply_adds = course.multiply_adds
    progress("over time", len(test), len(test))
    return {
        **over_time.summary(readings, test.labels[test.indices]),
        "measured_on": "network",
        "spikes_per_image": np.concatenate(inner).mean(axis=0).tolist(),
        "operations_per_image": np.concatenate(operations).mean(axis=0).tolist(),
        "multiply_adds": multiply_adds,
    }


def write_over_time(run: Path, document: dict[str, Any] | None) -> None:
    """Add what was measured to `report.html` and `figures/` of a run; None: there is nothing to add."""
    if document is None:
        return
    page, chart = run / "report.html", drawn.over_time(document)
    files.write_text(page, with_over_time(page.read_text(encoding="utf-8"), document))
    files.write_text(run / "figures" / f"{chart.name}.csv", chart.csv)
    files.write_text(run / "figures" / f"{chart.name}.svg", chart.svg)
