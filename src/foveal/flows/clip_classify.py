"""Classify pictures by texts alone: the class whose prompts lie nearest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.inputs import content
from foveal.core.errors import NotFoundError
from foveal.core.progress import Progress, silent
from foveal.core.text import printable
from foveal.data import listing
from foveal.flows._clip_pictures import encoded, open_model
from foveal.flows.pretrain_clip import SCHEMA
from foveal.tasks.image_text import TEMPLATES


def clip_classify(
    run: str | Path,
    inputs: Sequence[str],
    *,
    classes: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
    threads: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the `foveal.clip/1` document with an answer for each picture.

    `scores` are shares that sum to 1, the softmax of the scaled cosines: they are not calibrated, and say
    nothing of pictures that show none of the classes.

    Args:
        run: A finished run.
        inputs: Files, folders and patterns.
        classes: Two or more names.
        templates: Each with `{}` where the name goes; the mean of all counts.
        threads: That decode.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such run, or no picture.
        UsageError: A template without a place for the name, or names that do not differ.
    """
    folder, model = open_model(run)
    names = model.classes(classes, templates)
    paths = list(listing.paths(inputs))
    if not paths:
        raise NotFoundError(f"no picture in {' '.join(inputs)}", hint="name files, folders or a pattern")
    found = encoded(model, lambda i: content(Path(paths[i])), len(paths), threads=threads, progress=progress)
    logits = model.scale * (found.vectors @ names.T).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    predictions: list[dict[str, Any]] = []
    for place, path in enumerate(paths):
        if place in found.errors:
            predictions.append({"source": printable(path), "error": found.errors[place].as_json()})
            continue
        scores = {name: round(float(share), 6) for name, share in zip(classes, shares[place], strict=True)}
        best = int(shares[place].argmax())
        cosine = round(float(found.vectors[place] @ names[best]), 6)
        label = {"label": classes[best], "similarity": cosine, "scores": scores}
        predictions.append({"source": printable(path), **label})
    return {
        "schema": SCHEMA,
        "ok": len(found.errors) < len(paths),
        "action": "classify",
        "run": str(folder),
        "classes": list(classes),
        "prompts": list(templates),
        "calibrated": False,
        "predictions": predictions,
    }
