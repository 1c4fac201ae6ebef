"""Which unlabelled pictures to label next, by what a recognizer that is just sealed says of them."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from foveal.audit.next_labels import next_labels
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import files
from foveal.core.errors import NotFoundError, UsageError
from foveal.core.progress import Progress
from foveal.core.task import SCENE_TASKS
from foveal.core.text import printable
from foveal.data.dataset import UInt8
from foveal.evaluate.answers import Float32, probabilities_at_size
from foveal.export.embedding import embedder_in
from foveal.flows._pool import unlabelled_of
from foveal.flows._prepare import Prepared
from foveal.report.suggested_page import suggested_page
from foveal.train.chosen import wants_unlabelled
from foveal.train.recipe import Recipe

TABLE, PAGE = "suggested.csv", "suggested.html"
_COLUMNS = ("picture", "guess", "confidence", "second", "second_confidence")


def check_unlabelled(recipe: Recipe) -> None:
    """Refuse what cannot be done with pictures without labels, before anything is trained.

    Raises:
        UsageError: No pictures are named to suggest from, or they are named for nothing; or there are clips:
            `other_task`.
        NotFoundError: They are not there.
    """
    scenes = recipe.for_scenes or recipe.architecture.task in SCENE_TASKS
    unlabelled, wanted = recipe.unlabelled, not scenes and wants_unlabelled(recipe.objective)
    if unlabelled is None and recipe.suggest is None:
        return
    if recipe.for_clips():
        raise UsageError(
            "pictures without labels are for recognizers of pictures",
            code="other_task",
            hint="leave --suggest and --unlabelled out",
        )
    if recipe.suggest is None and not wanted:
        raise UsageError(
            "nothing is learned from --unlabelled by this objective, and nothing is suggested",
            code="not_used",
            hint="--objective fixmatch learns from them; --suggest 50 says which of them to label next",
        )
    if unlabelled is None:
        raise UsageError(
            "--suggest says which of some unlabelled pictures to label next: which pictures?",
            code="no_pictures",
            hint="name them with --unlabelled FOLDER",
        )
    if not files.is_there(Path(unlabelled)):
        raise NotFoundError(f"there is no {unlabelled}", path=unlabelled)


def suggest(
    run: Path, bundle: Path, recipe: Recipe, prepared: Prepared, *, threads: int, progress: Progress
) -> dict[str, Any] | None:
    """Write `suggested.csv` and `suggested.html`, and return the `suggested` object of `foveal.train/1`.

    None where nobody asks. What the recognizer was made from or measured on, near copies of the latter, and
    copies are not suggested.

    Args:
        run: The run folder.
        bundle: What says how sure it is.
        recipe: Says which pictures there are, how many are wanted, and the seed.
        prepared: The run's data.
        threads: Pictures at once.
        progress: Told about the pictures.
    """
    unlabelled, count, seed = recipe.unlabelled, recipe.suggest, recipe.seed
    if unlabelled is None or count is None:
        return None
    members = archive.read(bundle)
    found = unlabelled_of(run, unlabelled, prepared, seed=seed, progress=progress)
    rows = found.rows
    about = {"unlabelled": unlabelled, "pictures": len(rows), "known": found.known + found.held_out}
    if not len(rows):
        return {**about, "table": None, "page": None, "images": []}
    images: UInt8 = np.asarray(found.images[rows])
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=1)
    probabilities = probabilities_at_size(predictor, images, threads=threads)
    chosen = next_labels(probabilities, _features(members, images, threads), count=count, seed=seed)
    suggested = [
        {"picture": printable(found.sources[rows[place]]), **_guess(predictor, probabilities[place])}
        for place in chosen.tolist()
    ]
    files.write_text(run / TABLE, _table(suggested))
    pictures = [images[place] for place in chosen.tolist()]
    files.write_text(run / PAGE, suggested_page(suggested, pictures, among=len(rows)))
    return {**about, "table": str(run / TABLE), "page": str(run / PAGE), "images": suggested}


def _features(members: archive.Members, images: UInt8, threads: int) -> Float32:
    """Return what the last layer reads; of a recognizer without such a layer the pixels, made few."""
    try:
        return embedder_in(members, source="the bundle").features(images, threads=threads)
    except UsageError as error:
        if error.code != "no_features":
            raise
    step = max(1, images.shape[1] // 16)
    return images[:, ::step, ::step].reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _guess(predictor: Predictor, probabilities: Float32) -> dict[str, Any]:
    first, second = (-probabilities).argsort(kind="stable")[:2].tolist()
    return {
        "guess": predictor.classes[first],
        "confidence": round(float(probabilities[first]), 4),
        "second": predictor.classes[second],
        "second_confidence": round(float(probabilities[second]), 4),
    }


def _table(suggested: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(suggested)
    return text.getvalue()
