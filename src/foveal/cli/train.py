"""`foveal train`: from labelled pictures to a proven recognizer."""

from pathlib import Path
from typing import TYPE_CHECKING

from foveal.cli._backend import Backend, RayAddress, Workers, where_of
from foveal.cli._frame import Device, Force, Group, Json, Out, Quiet, Strict, Threads, Verbose, emit, speaks
from foveal.cli._progress import progress
from foveal.cli._recipe import (
    Attributes,
    Backbone,
    Baseline,
    Data,
    Epochs,
    Frames,
    Head,
    Images,
    Model,
    Normalization,
    Objective,
    Objects,
    RecipeFile,
    Resume,
    Scratch,
    Seed,
    Settings,
    Size,
    Suggest,
    Task,
    Things,
    Time,
    Transfer,
    Unlabelled,
    Weights,
    attributes_of,
    check_alone,
    recipe_of,
    settings_of,
    things_of,
)
from foveal.cli._trained import show
from foveal.core.extras import need
from foveal.core.progress import Progress

if TYPE_CHECKING:
    from foveal.flows._where import Where
    from foveal.flows.train import TrainResult
    from foveal.flows.train_ranks import Order


def train(
    data: Data,
    model: Model = None,
    recipe: RecipeFile = None,
    task: Task = None,
    frames: Frames = None,
    backbone: Backbone = None,
    size: Size = None,
    images: Images = None,
    objects: Objects = None,
    things: Things = None,
    attributes: Attributes = None,
    epochs: Epochs = None,
    time: Time = None,
    transfer: Transfer = None,
    weights: Weights = None,
    normalization: Normalization = None,
    head: Head = None,
    scratch: Scratch = None,
    objective: Objective = None,
    setting: Settings = None,
    baseline: Baseline = None,
    unlabelled: Unlabelled = None,
    suggest: Suggest = None,
    resume: Resume = None,
    group: Group = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    out: Out = None,
    force: Force = False,
    backend: Backend = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train, export, calibrate and measure a recognizer; write run, bundle and report."""
    need("train")
    wishes = {
        "model": model,
        "task": task,
        "frames": frames,
        "backbone": backbone,
        "size": size,
        "images": images,
        "objects": objects,
        "things": things_of(things),
        "attributes": attributes_of(attributes),
        "group": group,
        "epochs": epochs,
        "objective": objective,
        "settings": settings_of(setting, example="epsilon=8"),
        "seed": seed,
        "baseline": baseline,
        "transfer": transfer,
        "weights": weights,
        "normalization": normalization,
        "head": head,
        "scratch": scratch,
        "unlabelled": None if unlabelled is None else str(unlabelled),
        "suggest": suggest,
    }
    check_alone("train", data, resume, strict or None, time, recipe, out, *wishes.values())
    chosen = recipe_of(recipe, {**wishes, "threads": threads}, time=time)
    from foveal.flows.train_ranks import Order

    order, where = Order(chosen, resume, out, strict, force), where_of(backend, workers, ray_address)
    with progress(quiet=quiet or not speaks()) as report:
        result = _carried_out(data, order, where, threads, report)
    if speaks():  # another rank tells the same
        _tell(result, as_json=as_json)


def _tell(result: "TrainResult", *, as_json: bool) -> None:
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )


def _carried_out(
    data: Path, order: "Order", where: "Where | None", threads: int | None, report: Progress
) -> "TrainResult":
    """Train here or in a group, anew or on from where a run was."""
    if where is not None:
        from foveal.flows.train_ranks import train_ranks

        return train_ranks(data, order, where=where, progress=report)
    from foveal.flows import train as flows

    if order.resume is not None:
        return flows.resume(order.resume, data, threads=threads, force=order.force, progress=report)
    return flows.train(
        data, recipe=order.recipe, out=order.out, strict=order.strict, force=order.force, progress=report
    )
