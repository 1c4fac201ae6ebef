"""All choices of a few-shot training, made before it starts."""

import math

import numpy as np

from foveal import models
from foveal.core import machine
from foveal.core.errors import DataError, RecipeError, UsageError
from foveal.flows._fewshot_data import Classes, is_omniglot
from foveal.train.episodic import _method
from foveal.train.episodic._episodes import TURNS, Shape
from foveal.train.episodic._recipe import FewshotRecipe
from foveal.train.episodic._usual import Usual
from foveal.train.examples import Examples
from foveal.train.plan import Plan
from foveal.train.warm_up import warm_up

# Drawings and photos alike bear a little of this; whatever mirrors or mixes may change the class.
AUGMENTATION = {"affine": 0.7, "shift": 0.07}
_TIMED = 3  # steps
_TRAINING_SHARE = 0.9  # of a budget; the rest reads, measures and draws


def plan_episodes(recipe: FewshotRecipe, classes: Classes) -> Plan:
    """Return the plan of a few-shot training; with a time budget a few steps are timed first.

    Raises:
        UnknownNameError: No such method or model.
        RecipeError: A setting that the method has not; a picture too small for the model.
        DataError: `too_few_classes`, or too few pictures in them.
        UsageError: `other_task`: the model takes clips, or is no network.
    """
    usual = _method.usual(recipe.method)
    own = {
        "inner_steps": recipe.inner_steps,
        "inner_rate": recipe.inner_rate,
        "first_order": 1.0 if recipe.first_order else None,
    }
    settings = _method.settings_of(recipe.method, own)
    if recipe.test_steps is not None and "inner_steps" not in settings:
        raise RecipeError(f"{usual.name}: no inner steps are taken", hint="leave --test-steps out")
    architecture = models.architecture(recipe.model or usual.model)
    preprocess, examples = classes.preprocess, classes.examples("fit")
    if models.card(architecture.name).kind != "network" or architecture.task != "classify":
        raise UsageError(
            f"{architecture.name} is no network for pictures",
            code="other_task",
            hint="--model conv4, resnet18 …",
        )
    if preprocess.size < architecture.smallest_size:
        raise RecipeError(
            f"{architecture.name} needs pictures of at least {architecture.smallest_size} pixels; "
            f"got {preprocess.size}",
            code="wrong_size",
            hint=f"--size {architecture.smallest_size} or more, or another --model",
        )
    shape, reasons = _shape(recipe, usual, classes, examples)
    plan = Plan(
        model=architecture.name,
        arguments={"channels": preprocess.channels, "classes": 1, "size": preprocess.size},
        images=len(examples),
        steps=recipe.steps or usual.steps,
        batch_size=shape.pictures,
        learning_rate=recipe.learning_rate or usual.learning_rate,
        weight_decay=0.0,
        label_smoothing=0.0,
        ema_share=0.03,
        augmentation=AUGMENTATION if recipe.augment == "auto" else {},
        precision="fp32",
        optimizer=usual.optimizer,
        head_rate=1.0,
        objective=recipe.method,
        settings={**settings, **vars(shape)},
        seed=recipe.seed,
        threads=recipe.threads or machine.usable_cpus(),
        step_seconds=0.0,
        reasons=reasons,
    )
    return _of_length(plan, recipe, classes, examples)


def _shape(
    recipe: FewshotRecipe, usual: Usual, classes: Classes, examples: Examples
) -> tuple[Shape, dict[str, str]]:
    counts = np.unique(examples.labels[examples.indices], return_counts=True)[1]
    query = recipe.query or max(1, min(usual.query, int(np.median(counts)) - recipe.shot))
    there = int((counts >= recipe.shot + query).sum())
    turned = is_omniglot(classes.dataset) if recipe.rotations is None else recipe.rotations
    turns = TURNS if turned else 1
    way = recipe.train_way or min(usual.way or recipe.way, there * turns)
    if way > there * turns or way < 2:
        raise DataError(
            f"tasks of {max(way, 2)} classes with {recipe.shot} + {query} pictures each need as many such "
            f"classes; {there * turns} have that many pictures",
            code="too_few_classes",
            hint="a smaller --train-way, --shot or --query, or data of more classes",
            path=classes.dataset.path,
        )
    reasons = {
        "tasks": f"{way} of {there * turns} classes, {recipe.shot} + {query} pictures of each, drawn anew",
        "classes": {
            "split": "held out as the data divide them",
            "group": "whole groups (the part of a name before /) are held out",
            "class": "drawn by the seed",
        }[classes.split.by],
    }
    if turned:
        reasons["rotations"] = "quarter turns of a class are further classes, on the side of the class"
    return Shape(recipe.tasks or usual.tasks, way, recipe.shot, query, turns), reasons


def _of_length(plan: Plan, recipe: FewshotRecipe, classes: Classes, examples: Examples) -> Plan:
    """Return the plan with as many steps as the recipe wants."""
    if recipe.epochs is not None:
        steps = max(1, math.ceil(recipe.epochs * plan.images / plan.batch_size))
        return plan.model_copy(update={"steps": steps})
    if recipe.time_seconds is None:
        return plan
    speed = warm_up(lambda wanted: _method.begin(wanted, classes.preprocess), examples, plan, steps=_TIMED)
    steps = max(1, int(_TRAINING_SHARE * recipe.time_seconds / speed.step_seconds))
    reasons = {
        **plan.reasons,
        "length": f"{steps} steps of {1000 * speed.step_seconds:.0f} ms in the time given",
    }
    return plan.model_copy(update={"steps": steps, "step_seconds": speed.step_seconds, "reasons": reasons})
