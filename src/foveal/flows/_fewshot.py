"""What teaching and adding share: features of pictures, and what is said about a taught recognizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.embedder import Embedder, unit
from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Float32
from foveal.calibrate.unknown import ALPHA
from foveal.core.errors import DataError, ImageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.core.promises import sets_need
from foveal.data.dataset import Picture
from foveal.fewshot.deciding import Learned
from foveal.fewshot.taught import Taught
from foveal.fewshot.views import views
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.classify.decode import Decision

SCHEMA = "foveal.fewshot/1"
_STAGE = "looking at pictures"


def features_of(
    embedder: Embedder,
    pictures: Sequence[tuple[str, Picture]],
    *,
    seed: int,
    threads: int,
    progress: Progress,
) -> Float32:
    """Return features of length 1 of pictures and their changed views, float32 (N, V, D).

    The views of a picture are one call of the engine: which others are looked at changes no digit.

    Args:
        embedder: From pictures to features.
        pictures: With what they are called, N ≥ 1.
        seed: The views follow from it.
        threads: Pictures at once; their number changes no digit.
        progress: Told about the pictures.

    Raises:
        DataError: One cannot be used; of a handful none is left out in silence.
    """
    embedder.features(np.empty((0, *embedder.preprocess.shape), np.uint8))  # the session, before any thread

    def looked_at(named: tuple[str, Picture]) -> Float32:
        name, picture = named
        try:
            shown = views(picture, embedder.preprocess, seed=seed)
        except ImageError as error:
            raise DataError(
                f"{name}: {error.message}",
                code=error.code,
                hint="give another picture: of a handful none is left out in silence",
                path=name,
            ) from None
        return unit(embedder.features(shown))

    found = []
    for one in in_order(looked_at, iter(pictures), workers=threads, name="foveal-teach"):
        found.append(one)
        progress(_STAGE, len(found), len(pictures))
    return np.stack(found)


def document(
    action: str, bundle: Path, taught: Taught, learned: Learned, manifest: Manifest
) -> dict[str, Any]:
    """Return what is said of a taught recognizer, without the seconds.

    Args:
        action: `teach`, `add` or `remove`.
        bundle: The file.
        taught: The pictures.
        learned: What follows from them.
        manifest: Of the file.
    """
    decision = learned.decision
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": action,
        "bundle": str(bundle),
        "digest": manifest.digest,
        "backbone": manifest.model.source,
        "size": manifest.preprocess.size,
        "classes": taught.counts,
        "images": len(taught),
        "independent_images": len(np.unique(taught.units)),
        "views": taught.features.shape[1],
        "head": learned.head,
        "head_losses": dict(learned.losses),
        "temperature": learned.temperature,
        "held_out": held_out(taught, learned),
        **decision.model_dump(mode="json", include={"unknown", "conformal"}),
        "messages": messages(taught, decision),
    }


def held_out(taught: Taught, learned: Learned) -> dict[str, Any]:
    """Return what was answered for taught pictures while they were left out."""
    asked = learned.held_out
    if not len(asked.rows):
        return {"n": 0, "accuracy": None, "confusion": None}
    answers = asked.logits[learned.head].argmax(axis=1)
    table = np.zeros((len(taught.classes),) * 2, np.int64)
    np.add.at(table, (asked.labels, answers), 1)
    accuracy = clopper_pearson(int((answers == asked.labels).sum()), len(answers))
    return {"n": len(answers), "accuracy": accuracy.as_json(), "confusion": table.tolist()}


def messages(taught: Taught, decision: Decision) -> list[str]:
    """Return what could not be promised with so few pictures, and how many would be needed."""
    found = []
    alone = [name for name, count in taught.counts.items() if count == 1]
    if alone:
        names = alone[0] if len(alone) == 1 else f"{len(alone)} classes"
        found.append(f"one picture of {names}: nothing can be left out to see how well it is known; give two")
    unknown, sets = decision.unknown, decision.conformal
    if unknown is not None and unknown.threshold is None:
        found.append(
            f"{unknown.n} independent pictures give no limit for unknown ones: it takes {sets_need(ALPHA)}"
        )
    if sets.quantile is None:
        found.append(
            f"{sets.n} independent pictures give no prediction sets, so these hold every class: it takes "
            f"{sets_need(sets.alpha)}"
        )
    found.append(
        f"it never declines: a proven risk of {decision.abstain.risk:.0%} takes {decision.abstain.needed} "
        "labelled pictures that it was not taught, and all of them answered rightly"
    )
    return found
