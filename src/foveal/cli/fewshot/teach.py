"""`foveal fewshot teach`: a recognizer from a handful of pictures of each class."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Force, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.units import show_seconds

if TYPE_CHECKING:
    from rich.console import Console


def teach(
    backbone: Annotated[
        str, typer.Argument(help="A run, a .foveal bundle, weights, or a model such as efficientnet-lite0.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DIR", readable=False, help="A folder of pictures for each class.")
    ],
    head: Annotated[
        str, typer.Option("--head", help="auto, prototype, ridge or cosine; auto: the best when left out.")
    ] = "auto",
    size: Annotated[
        int | None, typer.Option("--size", min=8, max=4096, help="Side of the pictures in pixels.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The architecture of bare weights.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Run folder or F.foveal to write; default runs/fewshot-<n>."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Teach a recognizer from a few pictures of each class, without training the network."""
    need("train", what="teaching")
    from foveal.flows import fewshot_teach as flow

    wanted = flow.Wanted(head=head, size=size, model=model, seed=seed, threads=threads)
    with progress(quiet=quiet) as tell:
        document = flow.teach(backbone, data, wanted=wanted, out=out, force=force, progress=tell)
    emit(document, as_json=as_json, human=lambda console: show(console, document))


def show(console: "Console", document: dict[str, Any]) -> None:
    """Print what was taught, what was measured, and what was not promised."""
    asked, unknown = document["held_out"], document["unknown"]

    def line(label: str, text: object) -> None:
        console.print(f"{label:<10}{visible(str(text))}", markup=False)

    line(
        "taught",
        f"{document['images']} pictures of {len(document['classes'])} classes in "
        f"{show_seconds(document['seconds'])}",
    )
    tried = ", ".join(f"{name} {loss:.3f}" for name, loss in document["head_losses"].items())
    line("head", f"{document['head']}; surprise at pictures that were left out: {tried or 'not measured'}")
    if asked["accuracy"] is not None:
        found = asked["accuracy"]
        chosen = len(document["head_losses"]) > 1
        line(
            "left out",
            f"{found['value']:.1%} recognized (95 % interval {found['low']:.1%} to {found['high']:.1%}, "
            f"n={found['n']})"
            + ("; the best of the heads at these very pictures: a little too good" if chosen else ""),
        )
    if unknown["threshold"] is not None:
        line(
            "unknown",
            f"above {unknown['threshold']:.4g}, for about {unknown['alpha']:.0%} of known pictures "
            f"(n={unknown['n']})",
        )
    for number, message in enumerate(document["messages"]):
        line("" if number else "unproven", message)
    if document.get("report"):
        line("report", document["report"])
    line("bundle", document["bundle"])
    line("next", f"foveal predict {document['bundle']} PICTURE")
