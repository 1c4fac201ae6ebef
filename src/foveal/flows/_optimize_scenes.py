"""A finished run that says where something is, to be made smaller: what its pictures judge, fit and prove."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.manifest import Manifest
from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError
from foveal.core.task import OBJECT_TASKS
from foveal.data.truths import stated
from foveal.flows._compare_scenes import measure_for
from foveal.flows._optimize_setup import halves
from foveal.flows._optimize_sizes import Sizes
from foveal.flows._prepare import Prepared
from foveal.flows._scene_reports import scene_report, with_provenance
from foveal.optimize.judge import Judge
from foveal.optimize.scenes import SceneJudge
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Roles, Workshop


def scene_roles(prepared: Prepared, *, manifest: Manifest, seed: int) -> Roles:
    """Divide the calib pictures as those of classifiers are; one half chooses, the other one calibrates.

    Args:
        prepared: The run's data, at one size.
        manifest: Of the run's file.
        seed: Of the division.

    Raises:
        DataError: `too_few_calib`; `no_objects`: nothing is on the half that chooses.
    """
    choosing, calibrating = halves(prepared, seed=seed)
    calib = prepared.examples("calib")
    objects = manifest.task in OBJECT_TASKS
    return Roles(
        chosen_on=np.asarray(calib.images[choosing]),
        pictures=judge_of(prepared, choosing, manifest=manifest, seed=seed),
        calibrating=replace(calib, indices=calibrating),
        learning=prepared.examples("fit"),
        seed=seed,
        stated=stated(prepared.dataset, prepared.preprocess) if objects else None,
    )


def judge_of(prepared: Prepared, rows: NDArray[np.int64], *, manifest: Manifest, seed: int) -> Judge:
    """Return what counts on some pictures.

    Args:
        prepared: The run's data, at one size.
        rows: Which of them.
        manifest: Of the run's file.
        seed: Of the draws of intervals.

    Raises:
        DataError: `no_objects`: a detector is judged, and nothing is on any of them.
    """
    dataset = prepared.dataset
    if manifest.task in OBJECT_TASKS:
        of = stated(dataset, prepared.preprocess, classes=manifest.classes)
        if all(of(row).ignored.all() for row in rows.tolist()):
            raise DataError(
                f"nothing is stated on any of the {len(rows)} pictures that choose, or that prove",
                code="no_objects",
                hint="train with more pictures in val and test",
                path=dataset.path,
            )
    kind = measure_for([manifest.task])
    return SceneJudge(kind, dataset, rows, manifest, prepared.split.units[rows], seed)


def scenes_on_test(sizes: Sizes, shop: Workshop, chosen: Variant, original: Variant) -> dict[str, Any]:
    """Measure what is recommended on the test part, and compare it with the original.

    Each is given the pictures at its own size.
    """
    manifest = shop.read(shop.path(chosen)).manifest
    prepared = sizes.at([manifest.preprocess.size], shop.progress)[manifest.preprocess.size]
    split, images = prepared.split, prepared.store.images
    way, test = chosen.speed.way, split.test
    predictor = Predictor.open(shop.path(chosen), engine=way.engine, precision=way.precision, threads=1)
    about = {
        "split": "test",
        "fingerprint": split.fingerprint,
        "split_seed": split.seed,
        "units": split.units[test],
    }
    found = scene_report(
        predictor,
        prepared.dataset,
        test,
        lambda position: images[test[position]],
        about=about,
        seed=split.seed,
        threads=shop.threads,
        progress=shop.progress,
    )
    found = with_provenance(found, images_per_second=None)
    first = sizes.prepared
    judges = [judge_of(one, test, manifest=manifest, seed=split.seed) for one in (first, prepared)]
    before = judges[0].answers(shop.original, original.speed.way, np.asarray(first.store.images[test]))
    after = judges[1].answers(shop.path(chosen), way, np.asarray(images[test]))
    return {
        "images": len(test),
        "role": "test part",
        "independent": int(judges[0].independent),
        "accuracy": judges[1].accuracy(after).as_json(),
        "original_accuracy": judges[0].accuracy(before).as_json(),
        "drop": judges[0].drop(before, after).as_json(),
        "agreement": None,
        "report": found.without_names().as_json(),
    }
