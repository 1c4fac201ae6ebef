"""Decide what a user left open of a training without labels, from the pictures and from measurements here."""

import math
from collections.abc import Callable

from foveal.core import catalog, machine
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress, silent
from foveal.core.units import show_seconds
from foveal.models import Architecture
from foveal.train import pretext
from foveal.train.examples import Examples
from foveal.train.fitting import is_baseline
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.planning import (
    MAX_EPOCHS,
    MIN_EPOCHS,
    check_size,
    fastest_precision,
    largest_within,
    usual_batch,
)
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.warm_up import Speed, warm_up

SEEN_IMAGES = 1_000_000  # without a length: pictures shown in all
# A larger network is not worth fewer pictures shown than this. On CIFAR-10 after eight minutes of one thread
# the largest nano, which saw 44,000, was as good as the smallest after sixteen, which saw 300,000.
LEAST_SEEN = 100_000
_STEPS = 3  # timed per measurement
_BATCH = 256  # pictures, each in several views


def check_pretext(recipe: PretextRecipe) -> None:
    """Refuse what is wrong whatever the pictures, so that nobody waits for them to be read first.

    Raises:
        RecipeError: The model cannot learn so, the size is below its smallest, or a setting makes no sense.
        UnknownNameError: No such model or method.
    """
    if recipe.method == "clip":
        raise RecipeError(
            "clip learns from pictures and their texts", code="no_pretext", hint="foveal clip train PAIRS.csv"
        )
    architecture = recipe.architecture
    if architecture.task != "classify" or is_baseline(architecture.name):
        takes = "takes clips" if architecture.task != "classify" else "is fitted in one go"
        raise RecipeError(
            f"{catalog.spoken(architecture.name)} {takes}; what learns without labels is a network for "
            "pictures",
            code="no_pretext",
            hint="--model nano, or another network of foveal models",
        )
    pretext.settings_of(recipe.method, recipe.settings)
    if recipe.size is not None:
        check_size(architecture, recipe.size)


def plan_pretext(
    recipe: PretextRecipe,
    examples: Examples,
    make: Callable[[Plan], Objective],
    *,
    architecture: Architecture,
    seconds_left: Callable[[], float] | None = None,
    progress: Progress = silent,
) -> Plan:
    """Return a complete plan.

    Args:
        recipe: What the user asked for.
        examples: What is learned from.
        make: Builds the pretext of a plan; used for the warm-up.
        architecture: Builds the network; one that starts from weights has the one form that these are for.
        seconds_left: Tells how long training may still take; None: no budget.
        progress: Told about each thing that is measured.

    Raises:
        RecipeError: The budget leaves no time for a single pass.
    """
    reasons: dict[str, str] = {}
    size, channels = examples.images.shape[1], examples.images.shape[3]
    usual = {"channels": channels, "classes": 2, "size": size, **architecture.arguments}
    variants = [{**usual, **extra} for extra in architecture.variants(size)]
    draft = _draft(recipe, examples, architecture)
    draft = draft.model_copy(update={"arguments": usual if seconds_left is None else variants[0]})
    most, measured = len(variants) + 3, 0

    def measure(plan: Plan, at_most: float = math.inf) -> Speed:
        nonlocal measured
        progress("warm-up", measured := measured + 1, most)
        if seconds_left is not None and seconds_left() <= 0:
            raise RecipeError(
                "the time is over before a single step could be timed",
                code="budget_too_small",
                hint="give a longer --time: reading the pictures belongs to it",
            )
        return warm_up(make, examples, plan, steps=_STEPS, at_most=at_most)

    precision, speed = fastest_precision(recipe.precision, measure, draft, reasons)
    draft = draft.model_copy(update={"precision": precision})
    if seconds_left is None:
        epochs = recipe.epochs or min(MAX_EPOCHS, max(MIN_EPOCHS, SEEN_IMAGES / len(examples)))
        steps = max(1, round(epochs * len(examples) / draft.batch_size))
        plan = draft.model_copy(update={"steps": steps, "step_seconds": speed.step_seconds})
    else:
        least = max(1.0, LEAST_SEEN / len(examples))
        plan = largest_within(draft, variants[1:], speed, measure, seconds_left, least=least)
    progress("warm-up", most, most)
    reasons["length"] = (
        f"{plan.steps} steps of {plan.batch_size}: {plan.epochs:.3g} passes over {plan.images} pictures, "
        f"about {show_seconds(plan.steps * plan.step_seconds)} at the measured speed"
    )
    return plan.model_copy(update={"reasons": reasons})


def _draft(recipe: PretextRecipe, examples: Examples, architecture: Architecture) -> Plan:
    """Return a one-step fp32 plan with everything decided that needs no timing."""
    settings, images, size = architecture.settings, len(examples), examples.images.shape[1]
    wanted = recipe.batch_size or min(_BATCH, usual_batch(settings, images=images, size=size))
    return Plan(
        model=architecture.name,
        arguments={},
        images=images,
        steps=1,
        batch_size=min(wanted, images),
        optimizer=settings.optimizer,
        learning_rate=recipe.learning_rate or settings.learning_rate,
        head_rate=settings.head_rate,
        warm_up_share=settings.warm_up_share,
        weight_decay=settings.weight_decay if recipe.weight_decay is None else recipe.weight_decay,
        objective=recipe.method,
        settings=pretext.kind(recipe.method).suited(
            pretext.settings_of(recipe.method, recipe.settings), images=images
        ),
        label_smoothing=0.0,
        ema_share=recipe.ema_share,
        augmentation={},
        precision="fp32",
        seed=recipe.seed,
        threads=recipe.threads or machine.usable_cpus(),
        step_seconds=0.0,
    )
