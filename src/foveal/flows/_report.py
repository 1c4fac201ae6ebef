"""What a finished training leaves for people: the page and the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files
from foveal.data.dataset import UInt8
from foveal.export.parity import Parity
from foveal.flows._prepare import Prepared
from foveal.report.figures import write_figures
from foveal.report.page import refusal_page, training_page
from foveal.report.pictures import ClassPictures

_PER_CLASS = 8
_PICTURES = 1600  # in memory at once, from where on a class shows fewer


def write_report(
    run: Path,
    evaluation: dict[str, Any],
    history: Sequence[dict[str, float]],
    prepared: Prepared,
    baseline: dict[str, Any],
) -> Path:
    """Write `report.html` and `figures/` into a run folder, and return the page's path.

    Args:
        run: The run folder.
        evaluation: The `foveal.evaluate/1` document.
        history: Rows of the learning curve.
        prepared: Gives the pictures, at model size.
        baseline: The `baseline` object of `foveal.train/1`.
    """
    names = {source: index for index, source in enumerate(prepared.dataset.sources)}
    pictures = {
        mistake["source"]: _pixels(prepared, names[mistake["source"]])
        for mistake in evaluation["worst_mistakes"]
    }
    page = training_page(
        evaluation, history=history, gallery=_gallery(prepared), pictures=pictures, baseline=baseline
    )
    files.write_text(run / "report.html", page)
    write_figures(evaluation, history, run / "figures")
    return run / "report.html"


def write_refusal(run: Path, parity: Parity, history: Sequence[dict[str, float]]) -> Path:
    """Write `report.html` for a run whose export was refused, and return the page's path."""
    page = refusal_page(parity.as_json(), parity.gate().limit, history=history)
    files.write_text(run / "report.html", page)
    return run / "report.html"


def _gallery(prepared: Prepared) -> list[ClassPictures]:
    """Return a few training pictures of every class, evenly over the folder."""
    groups = []
    each = max(2, min(_PER_CLASS, _PICTURES // len(prepared.dataset.classes)))
    labels = prepared.store.labels[prepared.split.fit]
    for label, name in enumerate(prepared.dataset.classes):
        mine = prepared.split.fit[labels == label]
        shown = mine[np.linspace(0, len(mine) - 1, min(len(mine), each)).astype(np.int64)]
        pictures = tuple(_pixels(prepared, int(index)) for index in shown)
        groups.append(ClassPictures(name, int((prepared.dataset.labels == label).sum()), pictures))
    return groups


def _pixels(prepared: Prepared, index: int) -> UInt8:
    return np.array(prepared.store.images[index])
