"""Decide everything that the user left open, from the data and from measurements on this machine."""

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from foveal.core import catalog, machine
from foveal.core.errors import DataError, RecipeError, UnknownNameError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.core.units import show_seconds
from foveal.models import Architecture, Settings
from foveal.train import augment, chosen
from foveal.train.examples import Examples
from foveal.train.fitting import is_baseline
from foveal.train.flip_probe import flip_probe
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.recipe import Recipe
from foveal.train.warm_up import Speed, warm_up

MIN_EPOCHS = 8.0  # a larger network is not worth fewer passes than this
MAX_EPOCHS = 200.0  # more passes over a small set change nothing but the electricity bill
SEEN_IMAGES = 500_000  # without a budget: pictures shown in all
BATCH_SIDE = 96  # larger pictures come in smaller batches: a step has to fit into memory
CLIP_PIXELS = 64 * 8 * 64**2  # of all frames of all clips of a step
_FEWEST_CLIPS = 4
FEWEST_STEPS = 12  # per pass, before the batch shrinks

# What only a training in steps has; and what says of it no more than is done anyway without.
_STEP_BY_STEP = (
    "batch_size", "learning_rate", "weight_decay", "objective", "settings", "label_smoothing", "ema_share",
    "precision",
)  # fmt: skip
_WITHOUT = {"augment": "none", "precision": "fp32"}
_BLEND = ("cutmix", "mixup")  # two pictures, and their targets
_ANY_TAKES = 224  # pixels
_UNFREEZE = "unfreeze"
_SMALLEST_BATCH = 32  # fewer make batch statistics too noisy
_FEW_IMAGES = 10_000  # from here on a run sees the same pictures so often that they should vary more
_STEPS = 3  # timed per measurement
_COLOURS = 3
BANDS = {"band_gain": 0.1, "band_noise": 0.1}  # docs/bands.md has what it was chosen by
# What `augment = "robust"` adds; docs/corruptions.md has what it was chosen by.
ROBUST = {"corruption": 1.0, "noise": 0.2}
_SAFETY = 0.97  # share of the time left that is planned with: the machine may be busier later
_GAIN = 1.1  # bf16 has to be this much faster to be worth it
_LOSS_TOLERANCE = 0.05  # and its first losses may differ from fp32 by this share


class Measure(Protocol):
    """Times some steps of a plan."""

    def __call__(self, plan: Plan, /, at_most: float = ...) -> Speed:
        """Return how fast they are; none follows on one that takes more than `at_most` processor seconds."""


@dataclass(frozen=True)
class Facts:
    """What the data is like.

    Attributes:
        size: Side of the input in pixels.
        channels: Of the input.
        classes: Number of classes.
        frames: Of a clip; 1 for pictures.
        width: Of the input where that is not `size`, which then is its height; None: it is a square.
        attributes: How many values each thing has that is said of objects beside their class.
        start: What the network of weights was built with that all of it starts from.
        pairs: Whether pictures come with templates.
    """

    size: int
    channels: int
    classes: int
    frames: int = 1
    width: int | None = None
    attributes: tuple[int, ...] = ()
    start: Mapping[str, Any] = field(default_factory=dict)
    pairs: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the input."""
        return self.size, self.width or self.size

    @property
    def arguments(self) -> dict[str, Any]:
        """What every network is built with; of one that says where something is, with both sides."""
        size = self.size if self.width is None else list(self.sides)
        found = {"channels": self.channels, "classes": self.classes, "size": size, **self.start}
        return {**found, "attributes": list(self.attributes)} if self.attributes else found


def check_recipe(recipe: Recipe) -> None:
    """Refuse what is wrong whatever the data, so that nobody waits for their pictures to be read first.

    Raises:
        RecipeError: The size is below the model's smallest, a strength outside its range, a setting that the
            objective has not, one of step-by-step training given for a baseline, or nothing to unfreeze;
            `no_view`: pictures are to be blended of which each is looked at by itself.
        UnknownNameError: No such model, objective or augmentation.
        UsageError: The model is the name of somebody's own builder.
    """
    architecture = recipe.architecture
    if recipe.size is not None:
        check_size(architecture, recipe.size)
    if architecture.task in SCENE_TASKS:
        from foveal.train.scenes.planning import check_scenes  # here: it plans with what stands here

        check_scenes(recipe)
        return
    if recipe.backbone is not None:
        _check_backbone(recipe)
    chosen.settings_of(recipe.objective, recipe.settings)
    if catalog.written(recipe.objective) == _UNFREEZE and not recipe.unfreezes:
        raise RecipeError(
            "unfreeze goes on from weights that are there: it needs some, and a length",
            hint="give --transfer or --weights, and --epochs or --time; or leave the objective out",
        )
    if chosen.wants_unlabelled(recipe.objective) and recipe.unlabelled is None:
        raise RecipeError(
            f"{catalog.spoken(recipe.objective)} learns from pictures without labels, too: which?",
            code="no_unlabelled",
            hint="name them with --unlabelled FOLDER",
        )
    frozen = recipe.transfers and not recipe.unfreezes
    if is_baseline(architecture.name):
        named = f"{catalog.spoken(architecture.name)} is fitted in one go"
        hint = "leave it out; --time limits how much is fitted, --seed decides which images"
        _refuse(recipe, (*_STEP_BY_STEP, "epochs", "augment"), named, hint)
    elif frozen and architecture.task == "classify":
        named = f"a {recipe.head} head on features that stay as they are is fitted in one go"
        others = () if recipe.head == "linear" else ("augment",)  # a machine sees each picture once
        _refuse(recipe, (*_STEP_BY_STEP, *others), named, "leave it out; with --epochs or --time all learns")
    if not isinstance(recipe.augment, dict):
        return
    _check_blended([name for name in _BLEND if recipe.augment.get(name)], recipe.objective, frozen=frozen)
    for name, strength in recipe.augment.items():
        if name not in catalog.names(augment):
            raise UnknownNameError("augment", name, catalog.names(augment))
        largest = getattr(importlib.import_module(f"foveal.train.augment.{name}"), "STRONGEST", None)
        if strength < 0 or (largest is not None and strength > largest):
            allowed = "0 or more" if largest is None else f"from 0 to {largest}"
            raise RecipeError(
                f"augment.{name}: a strength is {allowed}; got {strength}", hint="0 leaves pictures alone"
            )


def _check_blended(blended: Sequence[str], objective: str, *, frozen: bool) -> None:
    """Refuse to blend pictures where something is said of each one by itself."""
    if blended and frozen:
        raise RecipeError(
            f"features that stay as they are: each is of one picture, without {' and '.join(blended)}",
            code="no_view",
            hint="give --epochs or --time, so that all learns; or leave it out",
        )
    if blended and chosen.wants_unlabelled(objective):
        raise RecipeError(
            f"{catalog.spoken(objective)} takes an answer for the label of one picture, "
            f"without {' and '.join(blended)}",
            code="no_view",
            hint="leave it out; strong changes are part of the objective",
        )


def _check_backbone(recipe: Recipe) -> None:
    """Refuse a backbone that cannot look at the frames: without data, as the network itself would later.

    As long as nobody knows the size of the frames it is one that every backbone takes.
    """
    size = recipe.size or _ANY_TAKES
    with torch.device("meta"):
        recipe.architecture.build(channels=3, classes=2, size=size, **recipe.network)


def _refuse(recipe: Recipe, names: Sequence[str], what: str, hint: str) -> None:
    """Refuse settings, by name, that what is fitted has no use for, rather than ignore them."""
    changed = [
        name
        for name in names
        if getattr(recipe, name) not in (Recipe.model_fields[name].default, _WITHOUT.get(name))
    ]
    if changed:
        raise RecipeError(f"{what}; it has no {', '.join(changed)}", hint=hint)


def plan_training(
    recipe: Recipe,
    examples: Examples,
    facts: Facts,
    make: Callable[[Plan], Objective],
    *,
    seconds_left: Callable[[], float] | None = None,
    progress: Progress = silent,
) -> Plan:
    """Return a complete plan for a recipe.

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
        UnknownNameError: No such model or augmentation.
    """
    check_recipe(recipe)
    reasons: dict[str, str] = {}
    variants = _variants(recipe, facts)
    draft = _draft(recipe, examples, facts, reasons)
    # Without a budget it is the model's own default size; with one, the largest that the budget allows.
    first = {**facts.arguments, **recipe.network}
    first = first if seconds_left is None else variants[0]
    draft = draft.model_copy(update={"arguments": first})
    tried: list[tuple[Plan, Speed]] = []
    most = len(variants) + 3

    def measure(plan: Plan, at_most: float = math.inf) -> Speed:
        if tried and seconds_left is not None and seconds_left() <= 0:  # more measuring would not help
            raise too_short(*tried[-1], 0.0)
        progress("warm-up", len(tried) + 1, most)
        tried.append((plan, warm_up(make, examples, plan, steps=_STEPS, at_most=at_most)))
        return tried[-1][1]

    precision, speed = fastest_precision(recipe.precision, measure, draft, reasons)
    draft = draft.model_copy(update={"precision": precision})
    if seconds_left is None:
        seen = SEEN_IMAGES / (1 + draft.unlabelled / draft.batch_size)
        epochs = recipe.epochs or min(MAX_EPOCHS, max(MIN_EPOCHS, seen / facts.frames / len(examples)))
        plan = sized(draft, speed, max(1, round(epochs * len(examples) / draft.batch_size)))
    else:
        plan = largest_within(draft, variants[1:], speed, measure, seconds_left)
    progress("warm-up", most, most)
    reasons["length"] = (
        f"{plan.steps} steps of {plan.batch_size}: {plan.epochs:.3g} passes over {plan.images} images, "
        f"about {show_seconds(plan.steps * plan.step_seconds)} at the measured speed"
    )
    return plan.model_copy(update={"reasons": reasons})


def most_clips(frames: int, size: int) -> int:
    """Return how many clips a step of a training bears: what it holds has to fit into memory.

    Args:
        frames: Of a clip.
        size: Side of a frame in pixels.
    """
    return max(_FEWEST_CLIPS, CLIP_PIXELS // (frames * size**2))


def usual_batch(settings: Settings, *, images: int, size: int) -> int:
    """Return how many pictures suit a step.

    Args:
        settings: Of the model.
        images: That are learned from.
        size: Side of a picture in pixels.
    """
    largest = min(settings.batch_size, settings.batch_size * BATCH_SIDE**2 // size**2)
    return max(_SMALLEST_BATCH, min(largest, images // FEWEST_STEPS))


def _draft(recipe: Recipe, examples: Examples, facts: Facts, reasons: dict[str, str]) -> Plan:
    """Return a one-step fp32 plan with everything decided that needs no timing."""
    images = len(examples)
    architecture = recipe.architecture
    settings = architecture.settings
    wanted = recipe.batch_size or usual_batch(settings, images=images, size=facts.size)
    if recipe.batch_size is None and facts.frames > 1:  # what fits into memory has the last word
        wanted = min(wanted, most_clips(facts.frames, facts.size))
    batch, numbers = min(wanted, images), chosen.settings_of(recipe.objective, recipe.settings)
    more = round(batch * numbers["share"]) if chosen.wants_unlabelled(recipe.objective) else 0
    return Plan(
        model=architecture.name,
        arguments={},
        images=images,
        steps=1,
        batch_size=batch,
        unlabelled=more,
        optimizer=settings.optimizer,
        learning_rate=recipe.learning_rate or settings.learning_rate,
        head_rate=settings.head_rate,
        warm_up_share=settings.warm_up_share,
        weight_decay=settings.weight_decay if recipe.weight_decay is None else recipe.weight_decay,
        objective=recipe.objective,
        settings=numbers,
        label_smoothing=_label_smoothing(recipe),
        ema_share=recipe.ema_share,
        augmentation=_augmentation(recipe, examples, facts, reasons),
        precision="fp32",
        seed=recipe.seed,
        threads=recipe.threads or machine.usable_cpus(),
        step_seconds=0.0,
    )


def _label_smoothing(recipe: Recipe) -> float:
    if recipe.label_smoothing is None:
        return chosen.label_smoothing(recipe.objective)
    return recipe.label_smoothing


def _augmentation(
    recipe: Recipe, examples: Examples, facts: Facts, reasons: dict[str, str]
) -> dict[str, float]:
    """Return which changes the pictures undergo, in order."""
    if isinstance(recipe.augment, dict):
        return dict(recipe.augment)
    if recipe.augment == "none":
        return {}
    changes = {"shift": 0.0625}
    if facts.frames > 1:
        # A probe of single frames cannot see which way something moves, and a mirror turns that round.
        reasons["flip"] = (
            "off: in a clip left and right may be what the class is about; ask with augment.flip"
        )
    else:
        probe = flip_probe(
            examples.images,
            examples.labels,
            indices=examples.indices,
            classes=facts.classes,
            seed=recipe.seed,
        )
        reasons["flip"] = probe.reason
        changes = {"flip": float(probe.allowed), **changes}
    if facts.frames > 1 or len(examples) < _FEW_IMAGES:
        changes |= {"affine": 0.7, "color": 0.3}
    if facts.channels > _COLOURS:
        changes |= BANDS
        reasons["bands"] = (
            f"{facts.channels} bands: gain, offset and noise of each vary; ask for band_dropout or band_shift"
        )
    if recipe.augment == "robust":
        changes |= ROBUST
        reasons["augment"] = "robust: corrupted pictures among the training pictures, as asked"
    return changes


def _variants(recipe: Recipe, facts: Facts) -> list[dict[str, Any]]:
    """Return the arguments of each size of the model, smallest first."""
    architecture = recipe.architecture
    check_size(architecture, facts.size)
    return [{**facts.arguments, **recipe.network, **extra} for extra in architecture.variants(facts.size)]


def check_size(architecture: Architecture, size: int) -> None:
    """Refuse an input that is smaller than the model can take.

    Raises:
        RecipeError: `wrong_size`: it is.
    """
    smallest = architecture.smallest_size
    if size < smallest:
        raise RecipeError(
            f"{catalog.spoken(architecture.name)} needs inputs of at least {smallest} pixels; got {size}",
            code="wrong_size",
            hint=f"--size {smallest} or more",
        )


def fastest_precision(
    wanted: str, measure: Measure, draft: Plan, reasons: dict[str, str]
) -> tuple[str, Speed]:
    """Return the precision to train in, and how fast that is for the draft's network.

    Args:
        wanted: `fp32`, `bf16`, or `auto` to measure both.
        measure: Times some steps of a plan.
        draft: All else is decided.
        reasons: Gets one.
    """
    if wanted != "auto":
        reasons["precision"] = f"{wanted}: as asked"
        plan = draft.model_copy(update={"precision": wanted})
        return wanted, measure(plan)
    # Processor time on one thread: other work on the machine must not decide which is faster.
    full = measure(draft.model_copy(update={"threads": 1}))
    try:
        # Where it is emulated, a step takes ten times as long: of large networks one is enough to know.
        half = measure(
            draft.model_copy(update={"threads": 1, "precision": "bf16"}), 2 * full.processor_seconds
        )
    except DataError:
        reasons["precision"] = "fp32: training diverges in bf16"
        return "fp32", measure(draft)
    gain = full.processor_seconds / half.processor_seconds
    drift = abs(half.loss - full.loss) / full.loss
    chosen = "bf16" if gain >= _GAIN and drift <= _LOSS_TOLERANCE else "fp32"
    reasons["precision"] = f"{chosen}: bf16 is {gain:.2g}× as fast here"
    if gain >= _GAIN:  # as many steps were taken then
        reasons["precision"] += f", first losses differ by {drift:.1%}"
    return chosen, measure(draft.model_copy(update={"precision": chosen}))


def sized(draft: Plan, speed: Speed, steps: int) -> Plan:
    """Return a plan of so many steps."""
    return draft.model_copy(update={"steps": steps, "step_seconds": speed.step_seconds})


def largest_within(
    draft: Plan,
    larger: Sequence[dict[str, Any]],
    speed: Speed,
    measure: Measure,
    seconds_left: Callable[[], float],
    *,
    least: float = MIN_EPOCHS,
) -> Plan:
    """Return the plan of the largest network that still sees the data often enough in the time left.

    Args:
        draft: Of the smallest network.
        larger: Arguments of the others, by rising size.
        speed: Of the smallest.
        measure: Times some steps of a plan.
        seconds_left: Tells how long training may still take.
        least: Passes over the data below which no larger network is taken.

    Raises:
        RecipeError: `budget_too_small`: the time is too short for a single pass.
    """
    best, best_speed = draft, speed
    for arguments in larger:
        candidate = draft.model_copy(update={"arguments": arguments})
        if _epochs(best, best_speed, seconds_left()) < 1.3 * least:
            break  # the next one is slower still: not worth the time to measure it
        measured = measure(candidate)
        if _epochs(candidate, measured, seconds_left()) < least:
            break
        best, best_speed = candidate, measured
    epochs = min(MAX_EPOCHS, _epochs(best, best_speed, seconds_left()))
    if epochs < 1:
        raise too_short(best, best_speed, max(0.0, seconds_left()))
    return sized(best, best_speed, max(1, int(epochs * best.images / best.batch_size)))


def too_short(plan: Plan, speed: Speed, seconds: float) -> RecipeError:
    """Return the error of a budget that is left too small."""
    or_else = ", or no --time: then a head alone is fitted" if plan.objective == _UNFREEZE else ""
    return RecipeError(
        f"the time left is {show_seconds(seconds)}; one pass over {plan.images} images takes about "
        f"{show_seconds(plan.images / plan.batch_size * speed.step_seconds)}",
        code="budget_too_small",
        hint=f"give a longer --time, or a smaller --size{or_else}",
    )


def _epochs(plan: Plan, speed: Speed, seconds: float) -> float:
    """Return how many passes over the data fit into a time."""
    return _SAFETY * seconds / speed.step_seconds * plan.batch_size / plan.images
