"""A zero-shot classifier as an ordinary bundle: the image encoder, and its classes as the last layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle.manifest import Data, Images, Licenses
from foveal.core import machine
from foveal.core.errors import DataError, ImageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset, UInt8
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import content_hashes
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.data.split import saved_digest, unit_of_each
from foveal.export.sealing import Exported, Origin, bundle
from foveal.flows._clip_pairs import learned_contents, refuse_learned
from foveal.flows._clip_pictures import open_model
from foveal.flows._page import check_file
from foveal.flows.pretrain_clip import SCHEMA
from foveal.tasks.image_text import TEMPLATES
from foveal.train.examples import Examples

_MOST = 2000  # pictures that calibrate


def clip_export(  # noqa: PLR0913  # the option that replaces a file is of every command that writes one
    run: str | Path,
    data: str | Path,
    *,
    out: Path,
    classes: Sequence[str] | None = None,
    templates: Sequence[str] = TEMPLATES,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Seal the recognizer of some classes, calibrated on labelled pictures, and return the document.

    Args:
        run: A finished run.
        data: Labelled pictures that confidence, threshold and sets are fitted on, at most 2,000 of them,
            evenly spread. Of copies, and of a group, one proves.
        out: The bundle to write; its name ends in `.foveal`.
        classes: Of the recognizer; those of the data must be among them. None: those of the data.
        templates: Of the prompts; each with `{}`.
        threads: Of the engine whose answers are calibrated.
        force: Replace the file that is there.
        progress: Told about the pictures.

    Raises:
        NotFoundError: No such run or data.
        DataError: `unknown_classes`: the data have a class that is not among `classes`; `trained_on`:
            pictures among them were learned from; `no_images`: no picture can be read.
        UsageError: Prompts or names that make no sense.
        BundleError, WriteError: It cannot be sealed.
    """
    folder, model = open_model(run)
    dataset = opening.open_labelled(data)
    check_file(out, data, force=force)
    names = tuple(classes or dataset.classes)
    recognizer = model.classifier(names, templates)
    _check_named(dataset, names)
    hashes = content_hashes(dataset, progress=progress)
    chosen = np.array(evenly_spaced(len(dataset), at_most=_MOST), dtype=np.int64)
    refuse_learned(learned_contents(folder), dataset.sources, hashes, chosen, dataset.path)
    images, rows = _pictures(dataset, chosen.tolist(), recognizer.preprocess, progress)
    units = unit_of_each(dataset, {i: content for i, content in enumerate(hashes) if content})[rows]
    labels = np.array([names.index(dataset.classes[k]) for k in dataset.labels[rows]], dtype=np.int64)
    about = Data(
        fingerprint=fingerprint(dataset.sources, dataset.truths, hashes),
        split_seed=0,
        images=Images(fit=0, calib=len(images), test=0),
        # So that what calibrates is not divided anew and measured on.
        split_digest=saved_digest({"fit": [], "calib": [["", hashes[row]] for row in rows], "test": []}),
    )
    progress("export", 0, 1)
    exported = bundle(
        recognizer,
        out,
        calib=Examples(images, labels, np.arange(len(images)), units),
        origin=Origin(
            about, source="image-text pairs", licenses=Licenses(code="Apache-2.0", weights=None, data=None)
        ),
        threads=threads or machine.usable_cpus(),
    )
    progress("export", 1, 1)
    return _document(run, exported, names, templates)


def _check_named(dataset: Dataset, names: Sequence[str]) -> None:
    unknown = sorted(set(dataset.classes) - set(names))
    if unknown:
        raise DataError(
            f"{dataset.path} has classes that were not named: {', '.join(unknown[:10])}",
            code="unknown_classes",
            hint="name all of them with --classes",
            path=dataset.path,
        )


def _pictures(
    dataset: Dataset, chosen: Sequence[int], preprocess: Preprocess, progress: Progress
) -> tuple[UInt8, list[int]]:
    """Return calibration pictures at model size, uint8 (N, H, W, C), and their places."""
    pixels, rows = [], []
    for done, row in enumerate(chosen, 1):
        try:
            pixels.append(preprocess(dataset.read(row).decode(preprocess.channels)))
            rows.append(row)
        except ImageError:  # foveal check says what is wrong with it
            continue
        progress("pictures", done, len(chosen))
    if not rows:
        raise DataError(f"no picture of {dataset.path} can be read", code="no_images", path=dataset.path)
    return np.stack(pixels), rows


def _document(
    run: str | Path, exported: Exported, names: Sequence[str], templates: Sequence[str]
) -> dict[str, Any]:
    gate = exported.parity.gate()
    return {
        "schema": SCHEMA,
        "ok": gate.verdict == "pass",
        "action": "export",
        "run": str(run),
        "bundle": None if exported.bundle is None else str(exported.bundle),
        "size_bytes": None if exported.bundle is None else exported.bundle.stat().st_size,
        "classes": list(names),
        "prompts": list(templates),
        "parity": exported.parity.as_json(),
    }
