"""`foveal pretrain`: learn features from pictures without labels."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Device, Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Epochs, RecipeFile, Resume, Seed, Size, Time, check_alone, settings_of
from foveal.core import units
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from foveal.flows.pretrain import PretrainResult
    from foveal.train.pretext_recipe import PretextRecipe

Pictures = Annotated[
    Path,
    typer.Argument(metavar="DATA", readable=False, help="Folder or archive of pictures, labelled or not."),
]
Method = Annotated[
    str | None,
    typer.Option("--method", help="rotation, jigsaw, simclr, moco, dino or mae; default simclr."),
]
Network = Annotated[str | None, typer.Option("--model", help="A network from foveal models; default nano.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=4, help="Pictures of a step; default at most 256.")
]
OfMethod = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="KEY=VALUE", help="Of the method; may be given several times."),
]
Start = Annotated[
    str | None, typer.Option("--from", help="Start from these weights: a file, a folder or a run.")
]
ProbedWith = Annotated[
    Path | None, typer.Option("--probe", help="Labelled pictures that features are probed with.")
]
NoLabels = Annotated[
    bool, typer.Option("--no-labels", help="Take all pictures, whatever folders they are sorted into.")
]
Probes = Annotated[
    int | None, typer.Option("--probes", min=1, max=100, help="How often, while training; default 8.")
]
Folder = Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/pretrain-<n>.")]


def pretrain(
    data: Pictures,
    method: Method = None,
    model: Network = None,
    recipe: RecipeFile = None,
    size: Size = None,
    epochs: Epochs = None,
    time: Time = None,
    batch_size: BatchSize = None,
    setting: OfMethod = None,
    start: Start = None,
    probe: ProbedWith = None,
    probes: Probes = None,
    no_labels: NoLabels = False,
    resume: Resume = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    out: Folder = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn features from pictures without labels; foveal train --from RUN goes on from them."""
    need("train")
    wishes = {
        "method": method,
        "model": model,
        "size": size,
        "epochs": epochs,
        "batch_size": batch_size,
        "settings": settings_of(setting, example="temperature=0.2"),
        "weights": start,
        "probe": None if probe is None else str(probe),
        "probes": probes,
        "labels": False if no_labels else None,
        "seed": seed,
        "time_seconds": None if time is None else units.seconds(time),
    }
    check_alone("pretrain", data, resume, recipe, out, *wishes.values())
    chosen = _chosen(recipe).changed(**wishes, threads=threads)
    from foveal.flows import pretrain as flow

    with progress(quiet=quiet) as report:
        if resume is not None:
            result = flow.resume(resume, data, threads=threads, force=force, progress=report)
        else:
            result = flow.pretrain(data, recipe=chosen, out=out, force=force, progress=report)
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: _show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )


def _chosen(file: Path | None) -> "PretextRecipe":
    from foveal.train.pretext_recipe import PretextRecipe, read_pretext_recipe

    return PretextRecipe() if file is None else read_pretext_recipe(file)


def _pictures(about: dict[str, Any]) -> str:
    """Return of which pictures it was learned, and what became of the others."""
    said = f"{about['images']} of {about['found']}"
    if about["labelled"]:
        said += f"; {about['classes']} classes probe, the rest is held out (--no-labels: learn from all)"
    if about["copies"] and not about["labelled"]:
        said += f"; {about['copies']} more are copies"
    if about["measured_on"]:
        said += f"; {about['measured_on']} are held out by --probe"
    if about["unusable"]:
        said += f"; {about['unusable']} cannot be read: {', '.join(about['unusable_examples'])}"
    return said


def _show(console: Console, result: "PretrainResult") -> None:
    """Print what was learned, what it is worth and how to go on."""
    from foveal.report import words

    document = result.document
    probe, baseline = document["probe"], document["baseline"]

    def line(label: str, text: object) -> None:
        console.print(f"{label:<11}{visible(str(text))}", markup=False)  # names are the user's

    took = units.show_seconds(document["train_seconds"])
    rate = f"{document['epochs']:.3g} passes, {document['images_per_second']:.0f} images/s"
    line("pictures", _pictures(document["pictures"]))
    line("learned", f"{document['method']} with {document['model']} in {took}: {rate}")
    for what, reason in document["plan"]["reasons"].items():
        line(what, reason)
    for key, label in (("knn", "neighbours"), ("linear", "planes")):
        if probe[key] is not None:
            before = f"the network before {words.percent(baseline['untrained'][key]['value'])}"
            pixels = f"the pixels {words.percent(baseline['pixels'][key]['value'])}"
            line(label, f"{words.measured(probe[key])}; {before}, {pixels}")
            line("", f"against the network before: {document['against_before'][key]}")
    if probe["knn"] is None:
        line("unproven", "nothing here is labelled: --probe LABELLED says what the features are worth")
    line("features", f"effective rank {probe['rank']:.1f}, spread {probe['spread']:.2f}")
    if probe["collapsed"]:
        line(
            "collapsed", "pictures can hardly be told apart: lower the learning rate, or take another method"
        )
    line("report", result.report)
    line("run", result.run)
    line("next", f"foveal train DATA --from {shlex.quote(str(result.run))}")
