"""The strongest cheap baseline beside a network: fitted before it, measured on the same test pictures.

Baselines are fitted to a part of the fit pictures, as large as a small share of the time allows. Which is
the strongest is decided on calibration pictures, the same for all, so the test pictures only measure it; what
is measured is its exported graph, in the engine that would serve it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import engines
from foveal.core import catalog, files
from foveal.core.batches import batches
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.paired import independent, paired
from foveal.export.graph import graph
from foveal.flows._prepare import Prepared
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import plan_fit
from foveal.train.fitting import fit_baseline
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.recipe import Recipe

FACTS = "baseline.json"
FOLDER = "baseline"  # weights of the strongest, and the plans
# Of the time that those before it leave; the last one is usually the strongest, and gets most.
_SHARES = {"knn": 0.1, "logistic": 0.15, "svm_pixels": 0.25, "svm_hog": 1.0}
_SHARE = 0.06  # of the budget that is planned with; 0.1 is promised, and the machine may be busier later
_MOST_COMPARED = 1000  # calibration pictures that say which is the strongest
_ENGINE = "onnxruntime"
# Beside other work, threads that wait for each other made these many short operations 100 times longer.
_THREADS = 1
_VERDICTS = {
    "a_better": "network_better",
    "b_better": "baseline_better",
    "no_difference_shown": "no_difference_shown",
}
_ANEW = "train anew, or go on without a baseline: delete it"
_MOST_SECONDS, _LEAST_SECONDS = 30.0, 2.0


def seconds_for(recipe: Recipe, training_seconds: float) -> float:
    """Return how long all baselines together may take.

    It is a share of the budget, or, where there is none, of the predicted time of the training but at least
    two seconds.
    """
    if not recipe.baseline:
        return 0.0
    if recipe.time_seconds is not None:
        return min(_MOST_SECONDS, _SHARE * recipe.time_seconds)
    return max(_LEAST_SECONDS, min(_MOST_SECONDS, _SHARE * training_seconds))


def fit_yardstick(run: Path, plan: Plan, recipe: Recipe, prepared: Prepared, *, progress: Progress) -> None:
    """Fit the baselines and keep the strongest in the run folder; one that is there stays as it is.

    Args:
        run: The run folder; gets `baseline.json` and `baseline/`.
        plan: Of the network: how long it will train.
        recipe: Says whether a baseline is wanted, and how much time there is.
        prepared: The data.
        progress: Told about each fit.
    """
    if not recipe.baseline or (run / FACTS).is_file() or prepared.dataset.clip is not None:
        return  # the cheap baselines are for pictures
    files.make_folder(run / FOLDER)
    seconds = seconds_for(recipe, plan.steps * plan.step_seconds)
    compared = prepared.split.calib[evenly_spaced(len(prepared.split.calib), at_most=_MOST_COMPARED)]
    fitted, skipped = [], {}
    for name, share in _SHARES.items():
        asked = Recipe(model=name, seed=recipe.seed, threads=_THREADS)
        try:
            made = _planned(run / FOLDER / f"plan-{name}.json", asked, prepared, seconds * share)
        except RecipeError as error:
            skipped[catalog.spoken(name)] = error.message
            continue
        fitted.append(_fitted(made, prepared, compared, progress))
        seconds -= made.seconds
    files.write_json(run / FACTS, {**_kept(run / FOLDER, fitted), "skipped": skipped})


@dataclass(frozen=True)
class _Fitted:
    """One baseline, fitted, and how many calibration pictures it names correctly."""

    recognizer: Recognizer
    plan: FitPlan
    seconds: float
    right: int
    compared: int

    def as_json(self) -> dict[str, Any]:
        return {
            "name": catalog.spoken(self.recognizer.architecture),
            "n_fit": self.plan.images,
            "of": self.plan.of,
            "seconds": round(self.seconds, 2),
            "calib_accuracy": clopper_pearson(self.right, self.compared).as_json(),
        }


def _planned(path: Path, recipe: Recipe, prepared: Prepared, seconds: float) -> FitPlan:
    """Return the plan that is there, or make one: a run that was killed goes on with the same pictures.

    Raises:
        RecipeError: The time is too short, or the pictures are too small.
    """
    known = read_plan(path)
    if isinstance(known, FitPlan):
        return known
    smallest, size = recipe.architecture.smallest_size, prepared.preprocess.size
    if size < smallest:
        raise RecipeError(f"it needs inputs of at least {smallest} pixels; got {size}")
    classes = len(prepared.dataset.classes)
    plan = plan_fit(recipe, prepared.examples("fit"), prepared.preprocess, classes=classes, seconds=seconds)
    write_plan(plan, path)
    return plan


def _fitted(plan: FitPlan, prepared: Prepared, compared: NDArray[np.int64], progress: Progress) -> _Fitted:
    name = catalog.spoken(plan.model)

    def told(stage: str, done: int, total: int, note: str = "") -> None:
        progress("baseline", done, total, name)

    fitted = fit_baseline(plan, prepared.examples("fit"), prepared.preprocess, progress=told)
    empty = recognizers.build(plan.model, plan.arguments)
    recognizer = Recognizer(
        empty, plan.model, plan.arguments, prepared.preprocess, prepared.dataset.classes
    ).with_weights(fitted.weights)
    right = right_answers(recognizer.logits, prepared, compared)
    return _Fitted(recognizer, plan, fitted.seconds, int(right.sum()), len(compared))


def _kept(folder: Path, fitted: list[_Fitted]) -> dict[str, Any]:
    """Write the weights of the strongest, and return what is known about all of them."""
    tried = [one.as_json() for one in fitted]
    if not fitted:
        return {"strongest": None, "candidates": tried}
    best = max(range(len(fitted)), key=lambda i: (fitted[i].right, i))
    recognizers.save(fitted[best].recognizer, folder)
    return {"strongest": tried[best], "candidates": tried}


def measured_yardstick(
    run: Path, prepared: Prepared, answers: NDArray[np.int64], majority: dict[str, Any], *, threads: int
) -> dict[str, Any]:
    """Return the `baseline` object of `foveal.train/1`: the strongest one on the same test pictures.

    Where none was fitted it is the majority class.

    Args:
        run: The run folder.
        prepared: The data.
        answers: What the network's bundle answered for the test pictures, int64 (N,).
        majority: `class` and `accuracy` of always giving the most common answer.
        threads: Of the engine.
    """
    always = {"name": "majority class", **majority}
    path = run / FACTS
    facts = files.read_json(path, lambda found: {**found}, hint=_ANEW) if path.is_file() else {}
    rest = {"majority": majority, **{key: facts[key] for key in ("candidates", "skipped") if key in facts}}
    if not facts.get("strongest"):
        return {**always, **rest}
    test = prepared.split.test
    engine = catalog.find(engines, _ENGINE)(graph(recognizers.load(run / FOLDER)), threads=threads)
    right = right_answers(lambda images: engine.run(images)[1], prepared, test)
    network = answers == prepared.store.labels[test]
    return {
        **facts["strongest"],
        "accuracy": clopper_pearson(int(right.sum()), len(right)).as_json(),
        "paired": paired_document(network, right, prepared),
        **rest,
    }


def right_answers(
    logits: Callable[[UInt8], NDArray[np.float32]], prepared: Prepared, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which pictures are named correctly, bool (N,)."""
    images, labels = prepared.store.images, prepared.store.labels[rows]
    named = [logits(part).argmax(axis=1) for part in batches(images, rows)]
    return np.asarray(np.concatenate(named) == labels)


def paired_document(
    network: NDArray[np.bool_], baseline: NDArray[np.bool_], prepared: Prepared
) -> dict[str, Any]:
    """Return who was right where, and whether that is a difference; as `foveal compare` counts."""
    units = prepared.split.units[prepared.split.test]
    counted = independent(units, len(network), seed=prepared.split.seed)
    (pair,) = paired([network[counted], baseline[counted]])
    return {
        "n": pair.n,
        "both": pair.both,
        "only_network": pair.only_a,
        "only_baseline": pair.only_b,
        "neither": pair.neither,
        "difference": pair.difference.as_json(),
        "p_value": pair.p_value,
        "verdict": _VERDICTS[pair.verdict],
    }
