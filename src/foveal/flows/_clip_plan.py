"""What an image-text training decides before it starts: what the recipe means, the plan, the beginning."""

from collections.abc import Callable

import numpy as np
import torch

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError
from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.core.types import Finding
from foveal.data.texts.tokenizer import WordTokenizer
from foveal.flows._clip_pairs import PreparedPairs
from foveal.tasks.image_text import Form, ImageText
from foveal.train.fitting import is_baseline
from foveal.train.multimodal.clip import SETTINGS, Captions, Clip
from foveal.train.plan import Plan
from foveal.train.planning import BATCH_SIDE, ROBUST, Facts, plan_training
from foveal.train.recipe import Recipe
from foveal.train.setting import filled
from foveal.train.starting import show

OBJECTIVE = "clip"
_BATCH = 256  # pairs of a step: as many texts for each picture to tell apart
_SMALLEST_BATCH, _FEWEST_STEPS = 32, 12
_HEAD = 32  # numbers of a word that one head of the text encoder reads
_LONGEST = 128  # numbers of a text, unless asked for more
_AUGMENT = {"shift": 0.0625}  # no mirroring: captions say left and right; no colours: they name them
_BLEND = ("cutmix", "mixup")
# What a recipe may say of other trainings, and has no meaning here.
_UNUSED = (
    "task", "frames", "backbone", "images", "group", "label_smoothing", "transfer", "weights",
    "normalization", "head", "sets", "alpha", "sets_delta", "risk", "baseline", "scratch", "unlabelled",
    "suggest",
)  # fmt: skip


def checked(recipe: Recipe) -> Recipe:
    """Return the recipe as one of this objective, or refuse it before anything is read.

    Raises:
        RecipeError: It asks for what has no meaning here, or for a setting out of its range.
        UnknownNameError: It names a model that is not there.
    """
    changed = [name for name in _UNUSED if getattr(recipe, name) != Recipe.model_fields[name].default]
    if changed:
        raise RecipeError(
            f"learning from texts has no {', '.join(changed)}", hint="leave it out; see docs/image-text.md"
        )
    if recipe.objective not in (OBJECTIVE, Recipe.model_fields["objective"].default):
        raise RecipeError(f"the objective is clip, not {recipe.objective}", hint="leave the objective out")
    found = recipe.architecture
    if found.is_own or is_baseline(found.name) or found.task != "classify":
        raise RecipeError(
            f"{catalog.spoken(found.name)} is no image encoder",
            code="wrong_model",
            hint="choose a network for pictures by its name: foveal models",
        )
    blended = [name for name in _BLEND if isinstance(recipe.augment, dict) and recipe.augment.get(name)]
    if blended:
        raise RecipeError(
            f"{' and '.join(blended)} blends two pictures, and there is no text for the blend",
            hint="leave it out of augment",
        )
    width = filled(SETTINGS, recipe.settings, of=OBJECTIVE)["text_width"]
    if width % _HEAD:
        raise RecipeError(
            f"settings.text_width: a multiple of {_HEAD}; got {width:g}",
            hint=f"each head of the text encoder reads {_HEAD} numbers of a word",
        )
    return recipe.changed(objective=OBJECTIVE)


def planned(
    recipe: Recipe,
    prepared: PreparedPairs,
    tokenizer: WordTokenizer,
    *,
    seconds_left: Callable[[], float] | None,
    progress: Progress,
) -> Plan:
    """Return the complete plan: from here on no clock decides.

    Args:
        recipe: As `checked` returned it.
        prepared: The pairs.
        tokenizer: Of the text encoder.
        seconds_left: Tells how long training may still take; None: no budget.
        progress: Told about each thing that is measured.

    Raises:
        RecipeError: The budget is too small, the model too large for the pictures, or it has auxiliary
            classifiers.
        UnknownNameError: No such augmentation.
    """
    examples, preprocess = prepared.examples, prepared.preprocess
    size, chosen = preprocess.size, filled(SETTINGS, recipe.settings, of=OBJECTIVE)
    largest = max(_SMALLEST_BATCH, min(_BATCH, _BATCH * BATCH_SIDE**2 // size**2))
    batch = recipe.batch_size or max(_SMALLEST_BATCH, min(largest, len(examples) // _FEWEST_STEPS))
    # What is decided from labels does not apply: there are none.
    asked = recipe.model_copy(
        update={"objective": "supervised", "settings": {}, "augment": _augment(recipe), "batch_size": batch}
    )

    def as_clip(draft: Plan) -> Plan:
        return draft.model_copy(update={"objective": OBJECTIVE, "settings": chosen, "label_smoothing": 0.0})

    plan = plan_training(
        asked,
        examples,
        Facts(size, preprocess.channels, int(chosen["dimensions"])),
        lambda draft: objective(as_clip(draft), prepared, tokenizer),
        seconds_left=seconds_left,
        progress=progress,
    )
    return as_clip(plan)


def _augment(recipe: Recipe) -> dict[str, float]:
    if isinstance(recipe.augment, dict):
        return recipe.augment
    return {"auto": _AUGMENT, "none": {}, "robust": {**_AUGMENT, **ROBUST}}[recipe.augment]


def form(plan: Plan, prepared: PreparedPairs, tokenizer: WordTokenizer) -> Form:
    """Return what both encoders of a plan are built with."""
    width = int(plan.settings["text_width"])
    learned = prepared.texts(prepared.division.fit)
    longest = max(len(tokenizer.encode(text)) for text in set(learned))
    text = {
        "vocabulary": tokenizer.size,
        "length": int(plan.settings["text_length"]) or min(_LONGEST, longest),
        "width": width,
        "layers": int(plan.settings["text_layers"]),
        "heads": width // _HEAD,
        "dimensions": int(plan.settings["dimensions"]),
        "end": tokenizer.end,
    }
    return Form(plan.model, plan.arguments, text)


def objective(plan: Plan, prepared: PreparedPairs, tokenizer: WordTokenizer) -> Clip:
    """Return the objective of a plan with its initial weights: a pure function of its arguments."""
    built = form(plan, prepared, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = built.build()
    if isinstance(network.image, models.HasAuxiliary):
        raise RecipeError(
            f"{catalog.spoken(plan.model)} learns with auxiliary classifiers; texts have no loss for them",
            code="auxiliary",
            hint="choose another model",
        )
    show(network.image, prepared.examples, prepared.preprocess)
    network.image.to(memory_format=torch.channels_last)
    model = ImageText(network, built, tokenizer, prepared.preprocess)
    tokens, texts = np.unique(
        model.tokens(prepared.texts(prepared.division.fit)), axis=0, return_inverse=True
    )
    contents = prepared.division.contents(prepared.pairs)[prepared.division.fit]
    captions = Captions(tokens, texts.reshape(-1).astype(np.int64), contents)
    return Clip(
        network,
        captions,
        preprocess=prepared.preprocess,
        augmentation=plan.augmentation,
        settings=plan.settings,
    )


def long_texts(plan: Plan, prepared: PreparedPairs, tokenizer: WordTokenizer) -> list[Finding]:
    """Return what is to be said of texts that are longer than what is seen of them."""
    length = form(plan, prepared, tokenizer).text["length"]
    learned = sorted(set(prepared.texts(prepared.division.fit)))
    long = [text for text in learned if len(tokenizer.encode(text)) > length]
    if not long:
        return []
    return [
        Finding(
            "long_texts",
            "warning",
            len(long),
            f"{len(long)} texts have more than {length} words and signs; the rest is not seen",
            "--setting text_length=N sees more, and takes longer",
            tuple(text[:60] for text in long[:10]),
        )
    ]
