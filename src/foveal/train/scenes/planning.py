"""Decide what the user left open of a training that learns where something is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from foveal.core import catalog, machine
from foveal.core.errors import RecipeError, UnknownNameError
from foveal.core.progress import Progress, silent
from foveal.core.task import AREA_TASKS
from foveal.core.units import show_seconds
from foveal.models._features import ADAM
from foveal.train.examples import Examples
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.planning import (
    MAX_EPOCHS,
    MIN_EPOCHS,
    Facts,
    check_size,
    fastest_precision,
    largest_within,
    sized,
    too_short,
)
from foveal.train.recipe import Recipe
from foveal.train.scenes.learning import teaching
from foveal.train.scenes.orientation import orientation
from foveal.train.setting import Setting, filled
from foveal.train.warm_up import Speed, warm_up

SEEN_IMAGES = 8_000  # without a budget: pictures shown in all
_SMALLEST_BATCH = 8  # fewer make batch statistics too noisy
_STEPS = 2  # timed per measurement
# What differs from a template is the same defect however the part lies, and the camera decides its size.
_OF_PAIRS = {"upside_down": 1.0, "turn": 1.0, "zoom": 0.2, "mosaic": 0.0}
_ZOOM_OF_AREAS = 0.7  # areas have no size of their own that a larger change would make unlikely
_ZOOM_OF_DEFECTS = 0.3  # what is small may be no defect any more
# How pictures are changed, and how much at most; docs/detection.md has what the defaults were chosen by.
CHANGES = {
    "flip": Setting(1.0, 0, 1, "share of the pictures that may be mirrored left to right"),
    "upside_down": Setting(0.0, 0, 1, "share of the pictures that may be mirrored top to bottom"),
    "turn": Setting(0.0, 0, 1, "share of the pictures that may be turned by 90°"),
    "zoom": Setting(0.4, 0, 2, "natural logarithm of the largest change of size"),
    "stretch": Setting(0.1, 0, 1, "natural logarithm of the largest change of the aspect"),
    "mosaic": Setting(0.5, 0, 1, "share of the pictures that are put together of four"),
    "color": Setting(0.3, 0, 3, "brightness in deviations, contrast and saturation as logarithms"),
}
CHANGES_OF_DEFECTS = {
    **CHANGES,
    "crop": Setting(
        0.0, 0, 4096, "side in pixels of the part of a larger picture that is shown; 0: all of it"
    ),
}
_LARGE, _CROPPED = 512, 384  # pixels: what is larger is learned from in parts of that size
# What only a classifier has: whoever gives it means something that would not happen.
_OF_CLASSIFIERS = ("settings", "label_smoothing", "head", "unlabelled", "suggest", "frames")


def check_scenes(recipe: Recipe) -> None:
    """Refuse what is wrong whatever the data, so that nobody waits for their pictures to be read first.

    Raises:
        RecipeError: A part of the recipe is for classifiers alone, what is asked for of objects is not told
            by the network, or a strength outside its range.
        UnknownNameError: No such assigner or change.
    """
    if not recipe.architecture.learns:
        raise RecipeError(
            f"{catalog.spoken(recipe.architecture.name)} takes in good pictures in one go",
            hint="foveal inspect train DATA --mode good",
        )
    given = [name for name in _OF_CLASSIFIERS if getattr(recipe, name) != Recipe.model_fields[name].default]
    if given:
        raise RecipeError(
            f"{', '.join(given)} is of classifiers; {catalog.spoken(recipe.architecture.name)} is none",
            hint="leave it out",
        )
    objective_of(recipe)
    if recipe.attributes and not teaching(recipe.architecture).of_attributes:
        raise RecipeError(
            f"{catalog.spoken(recipe.architecture.name)} tells nothing of objects beside their class",
            hint="--model point does; or leave --attributes out",
        )
    if recipe.augment == "robust":
        raise RecipeError("augment = 'robust' is for classifiers", hint="auto, none, or a table of strengths")
    if isinstance(recipe.augment, Mapping):
        filled(_changes_of(recipe), recipe.augment, of="augment")


def objective_of(recipe: Recipe) -> str:
    """Return what the objective of a recipe means: a name of what teaches its architecture.

    Raises:
        UnknownNameError: The architecture learns in several ways, and this is none of them.
        RecipeError: It learns in one way, and this is another one.
    """
    known = teaching(recipe.architecture).names
    named = catalog.written(recipe.objective)
    if named == "supervised":
        return known[0]
    if named in known:
        return named
    if len(known) > 1:
        raise UnknownNameError("assigners", recipe.objective, known, hint="--objective takes one of these")
    raise RecipeError(
        f"{catalog.spoken(recipe.architecture.name)} has no objective {recipe.objective}",
        hint="leave --objective out",
    )


def plan_scenes(
    recipe: Recipe,
    examples: Examples,
    facts: Facts,
    make: Callable[[Plan], Objective],
    *,
    seconds_left: Callable[[], float] | None = None,
    progress: Progress = silent,
) -> Plan:
    """Return a complete plan for a recipe; see `planning.plan_training`.

    Args:
        recipe: What the user asked for; the rest follows from the data and the model's settings.
        examples: The training images.
        facts: Size, channels and number of classes.
        make: Builds the objective of a plan; used for the warm-up.
        seconds_left: Tells how long training may still take; None: no budget.
        progress: Told about each thing that is measured.

    Raises:
        RecipeError: The budget leaves no time for a single pass over the training images, or the recipe
            cannot be carried out.
        UnknownNameError: No such model, assigner or change.
    """
    check_scenes(recipe)
    check_size(recipe.architecture, min(facts.sides))
    reasons: dict[str, str] = {}
    variants = ({},) if recipe.transfers else recipe.architecture.variants(min(facts.sides))
    sizes = [{**facts.arguments, **recipe.network, **extra} for extra in variants]
    first = sizes[0] if seconds_left is not None else {**facts.arguments, **recipe.network}
    draft = _draft(recipe, examples, first, _changes(recipe, examples, facts, reasons))
    tried: list[tuple[Plan, Speed]] = []
    most = len(sizes) + 3

    def measure(plan: Plan, at_most: float = math.inf) -> Speed:
        if tried and seconds_left is not None and seconds_left() <= 0:
            raise too_short(*tried[-1], 0.0)
        progress("warm-up", len(tried) + 1, most)
        tried.append((plan, warm_up(make, examples, plan, steps=_STEPS, at_most=at_most)))
        return tried[-1][1]

    precision, speed = fastest_precision(recipe.precision, measure, draft, reasons)
    draft = draft.model_copy(update={"precision": precision})
    if seconds_left is None:
        epochs = recipe.epochs or min(MAX_EPOCHS, max(MIN_EPOCHS, SEEN_IMAGES / len(examples)))
        plan = sized(draft, speed, max(1, round(epochs * len(examples) / draft.batch_size)))
    else:
        plan = largest_within(draft, sizes[1:], speed, measure, seconds_left, least=_enough(examples))
    progress("warm-up", most, most)
    reasons["length"] = (
        f"{plan.steps} steps of {plan.batch_size}: {plan.epochs:.3g} passes over {plan.images} images, "
        f"about {show_seconds(plan.steps * plan.step_seconds)} at the measured speed"
    )
    return plan.model_copy(update={"reasons": reasons})


def _enough(examples: Examples) -> float:
    """Return the passes below which no larger network is taken: what its size brings comes late."""
    return max(MIN_EPOCHS, SEEN_IMAGES / len(examples) / 2)


def _draft(
    recipe: Recipe, examples: Examples, arguments: Mapping[str, object], augmentation: dict[str, float]
) -> Plan:
    """Return a one-step fp32 plan with everything decided that needs no timing."""
    settings, images = recipe.architecture.settings, len(examples)
    if recipe.transfers and recipe.architecture.reads is None:
        settings = replace(ADAM, batch_size=settings.batch_size)
    batch = recipe.batch_size or max(_SMALLEST_BATCH, min(settings.batch_size, images // 4))
    return Plan(
        model=recipe.architecture.name,
        arguments=dict(arguments),
        images=images,
        steps=1,
        batch_size=min(batch, images),
        optimizer=settings.optimizer,
        learning_rate=recipe.learning_rate or settings.learning_rate,
        head_rate=settings.head_rate,
        warm_up_share=settings.warm_up_share,
        weight_decay=settings.weight_decay if recipe.weight_decay is None else recipe.weight_decay,
        objective=objective_of(recipe),
        label_smoothing=0.0,
        ema_share=recipe.ema_share,
        augmentation=augmentation,
        precision="fp32",
        seed=recipe.seed,
        threads=recipe.threads or machine.usable_cpus(),
        step_seconds=0.0,
    )


def _changes_of(recipe: Recipe) -> Mapping[str, Setting]:
    return CHANGES_OF_DEFECTS if recipe.architecture.task == "defect" else CHANGES


def _changes(recipe: Recipe, examples: Examples, facts: Facts, reasons: dict[str, str]) -> dict[str, float]:
    """Return a strength for each change; those that a recipe's table leaves out are off."""
    if isinstance(recipe.augment, Mapping):
        return {name: float(recipe.augment.get(name, 0.0)) for name in _changes_of(recipe)}
    if recipe.augment == "none":
        return dict.fromkeys(_changes_of(recipe), 0.0)
    usual = {name: setting.default for name, setting in CHANGES.items()}
    if facts.pairs:
        reasons["orientation"] = "any: what differs from a template does so however the part lies"
        return usual | _OF_PAIRS
    found = orientation(examples.images, examples.indices, examples.units, seed=recipe.seed)
    reasons["orientation"] = found.reason
    if recipe.architecture.task in AREA_TASKS:
        usual |= {"zoom": _ZOOM_OF_AREAS, "mosaic": 0.0}
    if recipe.architecture.task == "defect":
        large = max(examples.images.shape[1:3]) > _LARGE
        usual |= {"zoom": _ZOOM_OF_DEFECTS, "mosaic": 0.0, "crop": float(_CROPPED * large)}
    return {**usual, "upside_down": float(found.upside_down), "turn": float(found.turn)}
