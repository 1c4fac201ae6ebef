"""`foveal train`: from labelled pictures to a proven recognizer."""

from pathlib import Path
from typing import Annotated

import typer

from foveal.cli._backend import Backend, RayAddress, Workers, where_of
from foveal.cli._frame import Device, Force, Group, Json, Out, Quiet, Strict, Threads, Verbose, emit, speaks
from foveal.cli._progress import progress
from foveal.cli._recipe import (
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
    RecipeFile,
    Scratch,
    Seed,
    Settings,
    Size,
    Task,
    Time,
    Transfer,
    Weights,
    recipe_of,
    settings_of,
)
from foveal.cli._trained import show
from foveal.core.errors import UsageError
from foveal.core.extras import need


def train(
    data: Data,
    model: Model = None,
    recipe: RecipeFile = None,
    task: Task = None,
    frames: Frames = None,
    backbone: Backbone = None,
    size: Size = None,
    images: Images = None,
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
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder; with --force also elsewhere.")
    ] = None,
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
    from foveal.flows.train import resume as resume_flow
    from foveal.flows.train import train as train_flow

    wishes = {
        "model": model,
        "task": task,
        "frames": frames,
        "backbone": backbone,
        "size": size,
        "images": images,
        "group": group,
        "epochs": epochs,
        "objective": objective,
        "settings": settings_of(setting),
        "seed": seed,
        "baseline": baseline,
        "transfer": transfer,
        "weights": weights,
        "normalization": normalization,
        "head": head,
        "scratch": scratch,
    }
    if resume is not None and (strict or any(v is not None for v in (*wishes.values(), time, recipe, out))):
        raise UsageError(
            "--resume goes on with the recipe of its run; of the options only --threads may change",
            hint=f"foveal train {data} --resume {resume}",
        )
    chosen = recipe_of(recipe, {**wishes, "threads": threads}, time=time)
    where = where_of(backend, workers, ray_address)
    with progress(quiet=quiet or not speaks()) as report:
        if where is not None:
            from foveal.flows.train_ranks import Order, train_ranks

            order = Order(chosen, resume, out, strict, force)
            result = train_ranks(data, order, where=where, progress=report)
        elif resume is not None:
            result = resume_flow(resume, data, threads=threads, force=force, progress=report)
        else:
            result = train_flow(data, recipe=chosen, out=out, strict=strict, force=force, progress=report)
    if not speaks():
        return  # another rank tells the same
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )
