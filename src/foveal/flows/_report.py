"""What a finished training leaves for people: the page and the figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import files
from foveal.core.progress import Progress
from foveal.data.clip import still
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.export.parity import Parity
from foveal.flows._mistake_maps import Maps, mistake_maps
from foveal.flows._prepare import Prepared
from foveal.report.figures import write_figures
from foveal.report.page import refusal_page, training_page, with_unlabelled
from foveal.report.pictures import ClassPictures

_PER_CLASS = 8
_PICTURES = 1600  # in memory at once, from where on a class shows fewer


def write_report(
    run: Path,
    evaluation: dict[str, Any],
    history: Sequence[dict[str, float]],
    prepared: Prepared,
    *,
    baseline: dict[str, Any],
    maps: Mapping[str, Maps],
) -> Path:
    """Write `report.html` and `figures/` into a run folder, and return the page's path.

    Args:
        run: The run folder.
        evaluation: The `foveal.evaluate/1` document; the bundle that it names explains its mistakes.
        history: Rows of the learning curve.
        prepared: Gives the pictures, at model size.
        baseline: The `baseline` object of `foveal.train/1`; with its `start`, too, after a transfer.
        maps: What the worst mistakes rest on; see `explained_mistakes`.
    """
    page = training_page(
        evaluation,
        history=history,
        gallery=_gallery(prepared),
        pictures=_mistaken(evaluation, prepared),
        maps=maps,
        baseline=baseline,
    )
    if prepared.unlabelled is not None:
        page = with_unlabelled(page, prepared.unlabelled)
    files.write_text(run / "report.html", page)
    write_figures(evaluation, history, run / "figures")
    return run / "report.html"


def explained_mistakes(
    evaluation: dict[str, Any], prepared: Prepared, *, threads: int, progress: Progress
) -> dict[str, Maps]:
    """Return, for the worst mistakes, the maps of the answer and of the true class.

    Args:
        evaluation: The `foveal.evaluate/1` document; the bundle that it names explains its mistakes.
        prepared: Gives the pictures, at model size.
        threads: Pictures explained at once.
        progress: Told after each of them.
    """
    if prepared.dataset.clip is not None:  # a map of one picture says nothing of a clip
        return {}
    mistakes = [(one["source"], one["label"], one["truth"]) for one in evaluation["worst_mistakes"]]
    predictor = Predictor.open(evaluation["bundle"], engine=REFERENCE, threads=1)
    pictures = _mistaken(evaluation, prepared)
    return mistake_maps(predictor, mistakes, pictures, threads=threads, progress=progress)


def _mistaken(evaluation: dict[str, Any], prepared: Prepared) -> dict[str, UInt8]:
    names = {source: index for index, source in enumerate(prepared.dataset.sources)}
    sources = [mistake["source"] for mistake in evaluation["worst_mistakes"]]
    return {source: _pixels(prepared, names[source]) for source in sources}


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
        shown = mine[evenly_spaced(len(mine), at_most=each)]
        pictures = tuple(_pixels(prepared, int(index)) for index in shown)
        groups.append(ClassPictures(name, int((prepared.dataset.labels == label).sum()), pictures))
    return groups


def _pixels(prepared: Prepared, index: int) -> UInt8:
    return np.array(still(prepared.store.images[index]))
