"""`foveal fewshot evaluate`: how well are classes told apart that were never seen?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Data
from foveal.cli.fewshot._show import measured_lines
from foveal.core.extras import need
from foveal.core.text import visible

_UNSEEN = {
    "split": "held-out classes of the training data",
    "content": "no picture and no class of it was learned from",
}


def evaluate(
    run: Annotated[Path, typer.Argument(readable=False, help="Run folder of foveal fewshot train.")],
    data: Data,
    way: Annotated[
        int | None, typer.Option("--way", min=2, help="Classes of a task; default as trained for.")
    ] = None,
    shot: Annotated[int | None, typer.Option("--shot", min=1, help="Pictures of each to learn from.")] = None,
    query: Annotated[
        int, typer.Option("--query", min=1, help="Pictures of each to be asked about, at most.")
    ] = 15,
    episodes: Annotated[
        int, typer.Option("--episodes", min=2, max=100_000, help="Tasks to measure on.")
    ] = 600,
    inner_steps: Annotated[
        int | None,
        typer.Option("--inner-steps", min=1, max=100, help="Of maml and anil: steps on a support set."),
    ] = None,
    transductive: Annotated[
        bool, typer.Option("--transductive", help="Measure also with all queries of a task seen at once.")
    ] = False,
    split: Annotated[str | None, typer.Option("--split", help="val or test; default test.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure a few-shot run on tasks of classes never seen, beside raw pixels and an untrained network."""
    need("train")
    from foveal.flows import fewshot_evaluate as flow

    wanted = flow.Wanted(way, shot, query, episodes, inner_steps, transductive, split, seed, threads)
    with progress(quiet=quiet) as tell:
        document = flow.evaluate(run, data, wanted=wanted, progress=tell)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)  # names are the user's

    line("measured", f"{document['run']}: {document['name']} with {document['model']}")
    line("on", f"{document['data']['path']}: {_UNSEEN[document['data']['unseen']]}")
    for title, text in measured_lines(document["metrics"], name=document["name"]):
        line(title, text)
