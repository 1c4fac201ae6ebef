"""The strongest cheap baseline beside a network: fitted before it, measured on the same test pictures.

Baselines are fitted to a part of the fit pictures, as large as a small share of the time allows. Which is
the strongest is decided by cross-validation among those pictures, so the test pictures only measure it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import catalog, files
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress
from foveal.flows._prepare import Prepared
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import plan_fit
from foveal.train.fitting import card, fit_baseline
from foveal.train.loop import Examples
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.recipe import Recipe

FACTS = "baseline.json"
FOLDER = "baseline"  # weights of the strongest, and the plans
_SHARES = {"logistic": 0.3, "svm_hog": 1.0}  # of the time that those before it leave
_SHARE = 0.06  # of the budget that is planned with; 0.1 is promised, and the machine may be busier later
_BATCH = 1024
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
        plan: Of the network: threads, and how long it will train.
        recipe: Says whether a baseline is wanted, and how much time there is.
        prepared: The data.
        progress: Told about each fit.
    """
    if not recipe.baseline or (run / FACTS).is_file():
        return
    files.make_folder(run / FOLDER)
    seconds = seconds_for(recipe, plan.steps * plan.step_seconds)
    fitted, skipped = [], {}
    for name, share in _SHARES.items():
        asked = Recipe(model=name, seed=recipe.seed, threads=plan.threads)
        try:
            made = _planned(run / FOLDER / f"plan-{name}.json", asked, prepared, seconds * share)
        except RecipeError as error:
            skipped[catalog.spoken(name)] = error.message
            continue
        fitted.append(_fitted(made, prepared, progress))
        seconds -= made.seconds
    files.write_json(run / FACTS, {**_kept(run / FOLDER, fitted), "skipped": skipped})


@dataclass(frozen=True)
class _Fitted:
    """One baseline, fitted; its accuracy by cross-validation is None where there were too few pictures."""

    recognizer: Recognizer
    plan: FitPlan
    seconds: float
    row: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": catalog.spoken(self.recognizer.architecture),
            "n_fit": self.plan.images,
            "of": self.plan.of,
            "seconds": round(self.seconds, 2),
            "cv_accuracy": self.row.get("cv_accuracy"),
            "cv_images": self.row["cv_images"],
        }


def _planned(path: Path, recipe: Recipe, prepared: Prepared, seconds: float) -> FitPlan:
    """Return the plan that is there, or make one: a run that was killed goes on with the same pictures.

    Raises:
        RecipeError: The time is too short, or the pictures are too small.
    """
    known = read_plan(path)
    if isinstance(known, FitPlan):
        return known
    smallest, size = card(recipe.architecture.name).smallest_size, prepared.preprocess.size
    if size < smallest:
        raise RecipeError(f"it needs inputs of at least {smallest} pixels; got {size}")
    classes = len(prepared.dataset.classes)
    plan = plan_fit(recipe, _fit_part(prepared), prepared.preprocess, classes=classes, seconds=seconds)
    write_plan(plan, path)
    return plan


def _fitted(plan: FitPlan, prepared: Prepared, progress: Progress) -> _Fitted:
    name = catalog.spoken(plan.model)

    def told(stage: str, done: int, total: int, note: str = "") -> None:
        progress("baseline", done, total, name)

    fitted = fit_baseline(plan, _fit_part(prepared), prepared.preprocess, progress=told)
    empty = recognizers.build(plan.model, plan.arguments)
    recognizer = Recognizer(
        empty, plan.model, plan.arguments, prepared.preprocess, prepared.dataset.classes
    ).with_weights(fitted.weights)
    (row,) = (row for row in fitted.history if row["chosen"])
    return _Fitted(recognizer, plan, fitted.seconds, row)


def _kept(folder: Path, fitted: list[_Fitted]) -> dict[str, Any]:
    """Write the weights of the strongest, and return what is known about all of them."""
    tried = [one.as_json() for one in fitted]
    if not fitted:
        return {"strongest": None, "candidates": tried}
    # Where nothing could be cross-validated it is the last, which is the more capable one.
    best = max(range(len(fitted)), key=lambda i: (tried[i]["cv_accuracy"] or 0.0, i))
    recognizers.save(fitted[best].recognizer, folder)
    return {"strongest": tried[best], "candidates": tried}


def measured_yardstick(
    run: Path, prepared: Prepared, answers: NDArray[np.int64], majority: dict[str, Any]
) -> dict[str, Any]:
    """Return the `baseline` object of `foveal.train/1`: the strongest one on the same test pictures.

    Where none was fitted it is the majority class.

    Args:
        run: The run folder.
        prepared: The data.
        answers: What the network's bundle answered for the test pictures, int64 (N,).
        majority: `class` and `accuracy` of always giving the most common answer.
    """
    always = {"name": "majority class", **majority}
    facts = json.loads((run / FACTS).read_text("utf-8")) if (run / FACTS).is_file() else {}
    rest = {"majority": majority, **{key: facts[key] for key in ("candidates", "skipped") if key in facts}}
    if not facts.get("strongest"):
        return {**always, **rest}
    test = prepared.split.test
    recognizer = recognizers.load(run / FOLDER)
    given = np.concatenate(
        [
            recognizer.logits(prepared.store.images[test[start : start + _BATCH]]).argmax(axis=1)
            for start in range(0, len(test), _BATCH)
        ]
    )
    truth = prepared.store.labels[test]
    return {
        **facts["strongest"],
        "accuracy": clopper_pearson(int((given == truth).sum()), len(truth)).as_json(),
        "paired": _paired(answers == truth, given == truth),
        **rest,
    }


def _paired(network: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> dict[str, Any]:
    """Return who was right where; of pictures that only one got right, the share that was the network's."""
    only_network, only_baseline = int((network & ~baseline).sum()), int((~network & baseline).sum())
    different = only_network + only_baseline
    return {
        "both": int((network & baseline).sum()),
        "only_network": only_network,
        "only_baseline": only_baseline,
        "neither": int((~network & ~baseline).sum()),
        "network_share": clopper_pearson(only_network, different).as_json() if different else None,
    }


def _fit_part(prepared: Prepared) -> Examples:
    split = prepared.split
    return Examples(prepared.store.images, prepared.store.labels, split.fit, split.units)
