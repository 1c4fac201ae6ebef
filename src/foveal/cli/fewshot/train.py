"""`foveal fewshot train`: learn, from many classes, to tell new ones apart after a few pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Data, Resume, Seed, Size, check_alone
from foveal.cli.fewshot._show import measured_lines
from foveal.core import units
from foveal.core.extras import need
from foveal.core.text import visible

Method = Annotated[str | None, typer.Option("--method", help="prototypes (default), maml or anil.")]
Way = Annotated[int | None, typer.Option("--way", min=2, help="Classes of a task; default 5.")]
Shot = Annotated[int | None, typer.Option("--shot", min=1, help="Pictures of each to learn from; default 1.")]
Query = Annotated[int | None, typer.Option("--query", min=1, help="Pictures of each to be asked about.")]
TrainWay = Annotated[int | None, typer.Option("--train-way", min=2, help="Classes of a task while learning.")]
Tasks = Annotated[int | None, typer.Option("--tasks", min=1, help="Tasks of a step.")]
Model = Annotated[str | None, typer.Option("--model", help="Backbone; default conv4 or conv4-strided.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Steps to train.")]
Epochs = Annotated[float | None, typer.Option("--epochs", help="Passes over as many pictures as there are.")]
Time = Annotated[str | None, typer.Option("--time", help="About how long to train, such as 90s or 5m.")]
InnerSteps = Annotated[
    int | None,
    typer.Option("--inner-steps", min=1, help="Of maml and anil: steps on a support set; default 3."),
]
InnerRate = Annotated[float | None, typer.Option("--inner-rate", help="Learning rate of those steps.")]
TestSteps = Annotated[
    int | None, typer.Option("--test-steps", min=1, help="Inner steps when measured; default two more.")
]
FirstOrder = Annotated[
    bool, typer.Option("--first-order", help="Leave the second derivatives of inner steps out.")
]
Rotations = Annotated[
    bool | None,
    typer.Option(
        "--rotations/--no-rotations", help="Quarter turns are further classes; default for Omniglot."
    ),
]
Augment = Annotated[str | None, typer.Option("--augment", help="auto (default) or none.")]
HeldOut = Annotated[
    float | None,
    typer.Option("--held-out", help="Share of classes for test, and again for val; default 0.15."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/fewshot-<n>.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="Highest rate of the schedule.")]


def train(
    data: Data,
    method: Method = None,
    way: Way = None,
    shot: Shot = None,
    query: Query = None,
    train_way: TrainWay = None,
    tasks: Tasks = None,
    model: Model = None,
    size: Size = None,
    steps: Steps = None,
    epochs: Epochs = None,
    time: Time = None,
    inner_steps: InnerSteps = None,
    inner_rate: InnerRate = None,
    test_steps: TestSteps = None,
    first_order: FirstOrder = False,
    rotations: Rotations = None,
    augment: Augment = None,
    held_out: HeldOut = None,
    learning_rate: LearningRate = None,
    resume: Resume = None,
    seed: Seed = None,
    threads: Threads = None,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn from tasks of a few classes each; measure on classes kept apart; write run and report."""
    need("train")
    wishes = {
        "method": method,
        "way": way,
        "shot": shot,
        "query": query,
        "train_way": train_way,
        "tasks": tasks,
        "model": model,
        "size": size,
        "steps": steps,
        "epochs": epochs,
        "time_seconds": None if time is None else units.seconds(time),
        "inner_steps": inner_steps,
        "inner_rate": inner_rate,
        "test_steps": test_steps,
        "first_order": first_order or None,
        "rotations": rotations,
        "augment": augment,
        "held_out": held_out,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    check_alone("fewshot train", data, resume, out, *wishes.values())
    from foveal.flows import fewshot_train as flow
    from foveal.train.episodic._recipe import fewshot_recipe

    with progress(quiet=quiet) as tell:
        if resume is not None:
            found = flow.resume(resume, data, threads=threads, force=force, progress=tell)
        else:
            recipe = fewshot_recipe({**wishes, "threads": threads})
            found = flow.train(data, recipe=recipe, out=out, force=force, progress=tell)
    emit(found.document, as_json=as_json, human=lambda console: _show(console, found.document))


def _show(console: Console, document: dict[str, Any]) -> None:
    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)  # names are the user's

    took = units.show_seconds(document["train_seconds"])
    line("trained", f"{document['name']} with {document['model']} in {took}, {document['steps']} steps")
    for what, reason in document["reasons"].items():
        line(what, reason)
    for part in ("val", "test"):
        if document["metrics"][part] is not None:
            for title, text in measured_lines(document["metrics"][part], name=document["name"]):
                line(title or part, text)
    line("report", f"{document['run']}/report.html")
    line("next", f"foveal fewshot evaluate {document['run']} DATA")
