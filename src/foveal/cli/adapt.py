"""`foveal adapt`: get a recognizer used to a new environment without labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foveal.cli._frame import Device, Force, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import settings_of
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from foveal.flows.adapt import AdaptResult


def adapt(
    run: Annotated[Path, typer.Argument(readable=False, help="A run folder, such as runs/last.")],
    pictures: Annotated[
        Path, typer.Argument(readable=False, help="Pictures of the new environment; labels are not read.")
    ],
    method: Annotated[
        str, typer.Option("--method", help="statistics of batch norm, or entropy, which learns, too.")
    ] = "statistics",
    labelled: Annotated[
        Path | None, typer.Option("--labelled", help="Labelled pictures of it: whether adapting helped.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option("--epochs", help="Passes over the pictures of entropy; default 3.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="KEY=VALUE", help="Of the method; may be given several times."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the run's own data are now; default: where it found them.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write; default runs/adapt-<n>.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Adapt a finished recognizer to pictures of a new environment, which need no labels."""
    need("train")
    from foveal.flows.adapt import Terms
    from foveal.flows.adapt import adapt as flow

    settings = {
        **(settings_of(setting, example="prior=16") or {}),
        **({} if epochs is None else {"epochs": epochs}),
    }
    terms = Terms(method, settings, labelled, data, seed, threads)
    with progress(quiet=quiet) as tell:
        result = flow(run, pictures, terms, out=out, force=force, progress=tell)
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: _show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )


def _show(console: Console, result: "AdaptResult") -> None:
    """Print whether it helped, as far as that can be known, and where everything is."""
    from foveal.report import words
    from foveal.report.adapt_page import calibration, verdict

    document = result.document
    accuracy, answers = document["accuracy"], document["answers"]

    def line(label: str, text: object) -> None:
        console.print(f"{label:<11}{visible(str(text))}", markup=False)  # names are the user's

    shown = document["pictures"]["images"]
    line("adapted", f"{document['model']} to {shown:,} pictures by {document['method']}")
    line("changed", f"{words.measured(answers['changed'])} of the answers there")
    for where in ("new", "old"):
        found = accuracy[where]
        if found is not None:
            before, after = words.measured(found["before"]), words.measured(found["after"])
            line(f"{where} place", f"{after}, before {before}; {verdict(found)}")
    if result.bundle is not None and accuracy["new"] is None:
        line("unproven", "whether it helped nobody can know without labels: --labelled FEW measures it")
    failed = [gate["id"] for gate in document["gates"] if gate["verdict"] != "pass"]
    if "collapse" in failed:
        name, share = max(answers["shares"].items(), key=lambda row: row[1]["after"])
        now, then = words.percent(share["after"]), words.percent(share["before"])
        told = f"{now} of the answers are {name}, before {then}"
        line("collapsed", f"{told}; no bundle was written: --method statistics, or fewer --epochs")
    elif failed:
        line("gate", "failed: the exported file does not decide as the network does; no bundle was written")
    if result.bundle is not None:
        line("promises", calibration(document))
        line("bundle", result.bundle)
    line("report", result.report)
    line("run", result.run)
