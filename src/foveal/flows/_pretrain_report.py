"""What a training without labels leaves for people: what was asked, what is alike, how it went."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foveal.core import files
from foveal.core.random import seed_for
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.flows._pretrain_data import Gathered
from foveal.report.pretrain_page import Alike, pretrain_page
from foveal.train.examples import Examples
from foveal.train.objective import Batch
from foveal.train.pretexts._pretext import Pretext
from foveal.train.pretexts.mae import Mae

_ASKED, _QUERIES, _NEAREST, _GALLERY = 6, 8, 6, 4000  # pictures


def write_pretrain_report(
    run: Path,
    document: dict[str, Any],
    history: Sequence[dict[str, float]],
    gathered: Gathered,
    objective: Pretext,
) -> Path:
    """Write `report.html` into a run folder, and return its path.

    Args:
        run: The run folder.
        document: `foveal.pretrain/1`.
        history: Rows of the learning curve.
        gathered: The pictures.
        objective: With the weights that ship, in eval mode.
    """
    page = pretrain_page(
        document,
        history=history,
        asked=_asked(gathered, objective),
        alike=_alike(gathered, objective),
    )
    files.write_text(run / "report.html", page)
    return run / "report.html"


def _asked(gathered: Gathered, objective: Pretext) -> list[list[UInt8]]:
    """Return some pictures, each followed by what the network was shown of it, and by what it restored."""
    rows = _spread(gathered.examples, _ASKED)
    images = np.asarray(gathered.examples.images[rows])
    preprocess = gathered.preprocess

    def batch() -> Batch:
        """Return them as one step sees them; each call draws the same."""
        count = torch.arange(len(rows))
        generator = torch.Generator().manual_seed(seed_for(0, "shown"))
        return Batch(torch.from_numpy(images), torch.zeros_like(count), count, count * 0, 0.0, generator)

    with torch.no_grad():
        restoring = isinstance(objective, Mae)
        views = objective.restored(batch()) if isinstance(objective, Mae) else objective.views(batch())
    shown = [_levels(one, preprocess, fit=not restoring) for one in views]
    return [[images[place], *(view[place] for view in shown)] for place in range(len(rows))]


def _levels(view: Tensor, preprocess: Preprocess, *, fit: bool) -> UInt8:
    """Return normalized pictures as levels, uint8 (N, h, w, C).

    Args:
        view: float32 (N, C, h, w).
        preprocess: Gives mean and deviation.
        fit: What was normalized once more, as tiles are, may lie outside of 0..255: then each picture is
            stretched to what can be shown.
    """
    mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
    unit = view.permute(0, 2, 3, 1) * std + mean
    low, high = unit.amin(dim=(1, 2, 3), keepdim=True), unit.amax(dim=(1, 2, 3), keepdim=True)
    outside = (low < -0.1) | (high > 1.1)
    if fit:
        unit = torch.where(outside, (unit - low) / (high - low).clamp_min(1e-6), unit)
    found: UInt8 = (unit * 255).round().clamp(0, 255).byte().numpy()
    return found


def _alike(gathered: Gathered, objective: Pretext) -> list[Alike]:
    """Return some pictures with those that are nearest to them among all others, by the features."""
    labelled = gathered.labelled
    gallery = gathered.examples if labelled is None else labelled.gallery
    queries = gathered.examples if labelled is None else labelled.queries
    known, asked = _spread(gallery, _GALLERY), _spread(queries, _QUERIES)
    prober = gathered.prober
    near = F.normalize(prober.features(objective.network, np.asarray(gallery.images[known])), dim=1)
    mine = F.normalize(prober.features(objective.network, np.asarray(queries.images[asked])), dim=1)
    similar = mine @ near.T
    if labelled is None:  # they are among those that are compared
        similar[torch.from_numpy(asked[:, None] == known[None])] = -torch.inf
    found, places = similar.topk(min(_NEAREST, len(known) - 1), dim=1)

    def named(examples: Examples, row: int) -> str:
        return "" if labelled is None else labelled.classes[int(examples.labels[row])]

    return [
        Alike(
            np.asarray(queries.images[row]),
            named(queries, int(row)),
            tuple(np.asarray(gallery.images[known[place]]) for place in places[number].tolist()),
            tuple(named(gallery, int(known[place])) for place in places[number].tolist()),
            tuple(found[number].tolist()),
        )
        for number, row in enumerate(asked)
    ]


def _spread(examples: Examples, most: int) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = examples.indices[evenly_spaced(len(examples), at_most=most)]
    return rows
