"""What trains on data that say where something is: its plan, and the objective of a plan."""

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.core import catalog
from foveal.core.errors import DataError, WriteError
from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.core.wording import counted
from foveal.data.attributes import FEWEST_OBJECTS, MOST_VALUES, Attribute, attributes_of, numbered
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.scene import Objects
from foveal.data.sizing import suggest_channels
from foveal.data.truths import numbers_at_size, regions_at_size, stated, stated_regions
from foveal.flows._origin import start_reasons
from foveal.flows._prepare import Prepared, scene_sides
from foveal.models import Architecture
from foveal.models.pretrained._weights import Weights, normalization
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.planning import Facts
from foveal.train.recipe import SYNTHETIC, Recipe
from foveal.train.scenes.annotations import Boxes, OutlineTruth
from foveal.train.scenes.learning import teaching
from foveal.train.scenes.objectives.defects import DefectTruth
from foveal.train.scenes.planning import plan_scenes

_EXPORT_SECONDS = 15.0  # with the exporter's imports
_PIXELS_PER_SECOND = 2.5e6  # of the default detector on two cores
_RESAMPLING_SECONDS = 5.0

Number = TypeVar("Number", np.uint8, np.uint16)


def seconds_after_scenes(prepared: Prepared) -> float:
    """Return a forecast of what follows the training: export, calibration, parity and measuring."""
    calib, test = (len(prepared.split.role(role)) for role in ("calib", "test"))
    looks = 2 * calib + 2 * (calib + test) + test  # to calibrate; by the network and by the file; to measure
    seconds = looks * math.prod(prepared.preprocess.shape[:-1]) / _PIXELS_PER_SECOND
    return _EXPORT_SECONDS + _RESAMPLING_SECONDS + seconds


def planned_scenes(
    recipe: Recipe,
    prepared: Prepared,
    *,
    weights: Weights | None,
    seconds_left: Callable[[], float] | None,
    progress: Progress,
) -> Plan:
    """Decide all that is open of a training that learns where something is.

    Args:
        recipe: What is wanted.
        prepared: The data.
        weights: What the backbone starts from; None: nothing.
        seconds_left: Tells how long training may still take; None: no budget.
        progress: Told about each thing that is measured.

    Raises:
        RecipeError: The recipe cannot be carried out, or not in the time.
    """
    height, width = prepared.preprocess.sides
    said = learned_attributes(recipe, prepared)
    facts = Facts(
        height,
        prepared.preprocess.channels,
        len(prepared.dataset.classes),
        width=width,
        attributes=tuple(len(one.values) for one in said),
        pairs=prepared.dataset.pairs,
        start={} if weights is None or recipe.architecture.reads is None else weights.arguments,
    )
    made = maker(recipe, prepared, weights)
    plan = plan_scenes(
        recipe, prepared.examples("fit"), facts, made, seconds_left=seconds_left, progress=progress
    )
    reasons = dict(plan.reasons)
    unlearned = _unlearned(recipe, prepared, said)
    if unlearned:
        reasons["attributes left out"] = (
            f"{', '.join(unlearned)}: fewer than two values of {FEWEST_OBJECTS} objects each, or more than "
            f"{MOST_VALUES}; --attributes names what is to be learned"
        )
    if said:
        told = ", ".join(f"{one.name} ({counted(len(one.values), 'value')})" for one in said)
        reasons["attributes"] = f"learned of each object beside its class: {told}"
    if weights is None:
        return plan.model_copy(update={"reasons": reasons})
    reasons = {**start_reasons(weights, prepared.preprocess), **reasons}
    return plan.model_copy(update={"starts_from": weights.sha256, "reasons": reasons})


def scene_preprocess(dataset: Dataset, recipe: Recipe, weights: Weights) -> Preprocess:
    """Return how pictures become what the weights of a backbone were trained on, in their own shape."""
    channels = max(3, suggest_channels(dataset))
    mean, std, _ = normalization(weights, channels=channels)
    height, width = scene_sides(dataset, recipe.size)
    pair: Literal["registered"] | None = "registered" if dataset.pairs else None
    return Preprocess(
        size=height, width=width, resize="letterbox", channels=channels, mean=mean, std=std, pair=pair
    )


def learned_attributes(recipe: Recipe, prepared: Prepared) -> tuple[Attribute, ...]:
    """Return what is learned of objects beside their class.

    Raises:
        UsageError: `no_attribute`: too little is said of what is asked for.
    """
    if not recipe.architecture.learns:  # what takes in good pictures alone
        return ()
    scenes = prepared.dataset.scenes
    if recipe.attributes == () or scenes is None or not teaching(recipe.architecture).of_attributes:
        return ()
    every = (scenes.objects(int(index)) for index in prepared.split.fit)
    objects = (learned_from(some.only(some.sound)) for some in every)
    return attributes_of(objects, recipe.attributes)


def _unlearned(recipe: Recipe, prepared: Prepared, said: Sequence[Attribute]) -> list[str]:
    """Return what is said of objects, and not learned though nobody said so."""
    if recipe.attributes is not None or not teaching(recipe.architecture).of_attributes:
        return []
    scenes = prepared.dataset.scenes
    if scenes is None:
        return []
    objects = (scenes.objects(int(index)) for index in prepared.split.fit)
    names = {name for some in objects for one in some.attributes for name in one if name}
    return sorted(names - {one.name for one in said})


def maker(recipe: Recipe, prepared: Prepared, weights: Weights | None = None) -> Callable[[Plan], Objective]:
    """Return what makes the objective of a plan with its initial weights; what is stated is read once.

    Args:
        recipe: Says which network it is, and what of objects is learned.
        prepared: The data.
        weights: What its backbone, or all of it, starts from; None: all weights follow from the seed.
    """
    architecture = recipe.architecture
    taught, truth = teaching(architecture), _stated(recipe, prepared)

    def objective(plan: Plan) -> Objective:
        network = _network(plan, architecture, weights)
        return taught(network, truth, preprocess=prepared.preprocess, plan=plan)

    return objective


def _stated(recipe: Recipe, prepared: Prepared) -> Any:
    """Return what is stated about the pictures that are learned from, as objectives of the task want it."""
    task = prepared.dataset.task
    if task == "segment":
        return region_maps(prepared)
    if task == "defect":
        return _parts(recipe, prepared)
    boxes = annotations(prepared, learned_attributes(recipe, prepared))
    if task == "detect":
        return boxes
    return OutlineTruth(boxes, number_maps(prepared), region_maps(prepared) if task == "panoptic" else None)


def _parts(recipe: Recipe, prepared: Prepared) -> DefectTruth:
    """Return what is stated about parts.

    Raises:
        DataError: `no_good_parts`, `no_defects`: there is nothing to learn one side from.
    """
    labels = prepared.dataset.labels[prepared.split.fit]
    path = prepared.dataset.path
    if not (labels == 0).any():
        raise DataError(
            f"none of the {len(labels)} pictures in {path} that are learned from is good",
            code="no_good_parts",
            hint="--good NAME names a folder of good parts; good, ok, free and normal are known",
            path=path,
        )
    if recipe.objective != SYNTHETIC and not (labels > 0).any():
        raise DataError(
            f"none of the {len(labels)} pictures in {path} that are learned from has a defect",
            code="no_defects",
            hint=f"--objective {SYNTHETIC} makes defects up",
            path=path,
        )
    return DefectTruth(region_maps(prepared), labels)


def annotations(prepared: Prepared, attributes: Sequence[Attribute] = ()) -> Boxes:
    """Return the objects of all pictures that are learned from, at model size, by their row.

    Degenerate boxes are mistakes and left out. What is to be ignored comes after all others.

    Raises:
        DataError: `no_objects`: nothing is there to learn from, or to measure on.
    """
    of = stated(prepared.dataset, prepared.preprocess)
    for part, indices in (("learned from", prepared.split.fit), ("kept for the test", prepared.split.test)):
        if len(indices) and all(of(int(index)).ignored.all() for index in indices):
            raise DataError(
                f"nothing is stated on any of the {len(indices)} pictures that are {part}",
                code="no_objects",
                hint="foveal data show DATA shows what is read; another --seed draws other pictures for it",
                path=prepared.dataset.path,
            )
    stated_objects = [of(int(index)) for index in prepared.split.fit]
    ordered = [one.ordered(np.argsort(one.ignored, kind="stable")) for one in stated_objects]
    said = [numbered(one, attributes) for one in ordered]
    boxes, labels = [one.boxes for one in ordered], [one.labels for one in ordered]
    return Boxes.of(boxes, labels, said, ignored=[one.ignored for one in ordered])


def learned_from(objects: Objects) -> Objects:
    """Return those objects of a picture that are learned from; their order numbers them."""
    return objects.only(~objects.ignored)


def number_maps(prepared: Prepared) -> NDArray[np.uint16]:
    """Return at each pixel the number of the object there, from 1 on, at model size, uint16 (N, H, W).

    Numbers are those of `annotations`; where objects overlap the smaller one is in front.
    """
    of = stated(prepared.dataset, prepared.preprocess)

    def at_size(index: int) -> NDArray[np.uint16]:
        header = prepared.dataset.read(index).header()
        return numbers_at_size(learned_from(of(index)), (header.height, header.width), prepared.preprocess)

    return _mapped(prepared, at_size, np.uint16)


def region_maps(prepared: Prepared) -> NDArray[np.uint8]:
    """Return the class maps of all pictures that are learned from, at model size, uint8 (N, H, W)."""
    of = stated_regions(prepared.dataset)
    return _mapped(prepared, lambda index: regions_at_size(of(index), prepared.preprocess), np.uint8)


def _mapped(prepared: Prepared, of: Callable[[int], NDArray[Number]], kind: type[Number]) -> NDArray[Number]:
    """Return a map of each picture that is learned from, (N, H, W), in a file without a name.

    It goes when nobody looks at it any more.
    """
    fit = prepared.split.fit
    shape = (len(fit), *prepared.preprocess.sides)
    with tempfile.TemporaryFile(dir=prepared.store.path.parent) as file:
        _fill(file.fileno(), max(1, math.prod(shape) * np.dtype(kind).itemsize))
        maps = np.memmap(file, kind, "r+", shape=shape)
    for row, index in enumerate(fit.tolist()):
        maps[row] = of(index)
    return maps


def _fill(handle: int, size: int) -> None:
    """Give a file its size; a full disk must be an error here, not a crash (SIGBUS) at some picture."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            os.ftruncate(handle, size)
    except OSError as error:
        raise WriteError(f"maps of {size:,} bytes have no room: {error.strerror}") from None


def _network(plan: Plan, architecture: Architecture, weights: Weights | None) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network: Any = architecture.build(**plan.arguments)
    if weights is not None:
        try:
            (network.backbone if architecture.reads is None else network).take(weights.tensors)
        except ValueError as error:
            raise DataError(
                f"the weights of {weights.source} do not fit "
                f"{plan.arguments.get('backbone', catalog.spoken(plan.model))}: {error}",
                code="weights_mismatch",
                hint="name the model that they were trained with: --backbone, or --model",
            ) from error
    return network
