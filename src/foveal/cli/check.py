"""`foveal check`: would these pictures give a result that can be trusted?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from foveal.cli._frame import Force, Group, Json, Quiet, Seed, Strict, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Task, Things, things_of
from foveal.core.errors import DataError, UsageError
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from foveal.core.types import Finding
    from foveal.flows.check import CheckResult

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
_EXAMPLES = 3
_ROLES = {"fit": "to learn from", "calib": "to calibrate", "test": "to test"}


def check(
    data: Annotated[
        Path, typer.Argument(readable=False, help="Folder, zip, tar or IDX files with labelled pictures.")
    ],
    layout: Annotated[str | None, typer.Option("--format", help="Layout; default: found out.")] = None,
    task: Task = None,
    things: Things = None,
    group: Group = None,
    strict: Strict = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="No near duplicates, doubtful labels, outliers, statistics.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="HTML page with the pictures in question.")] = None,
    suspects: Annotated[Path | None, typer.Option(help="CSV table of doubtful labels.")] = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Recognize the layout, read every picture, and say what would spoil a result."""
    from foveal.data import opening
    from foveal.flows import check as flow
    from foveal.flows._page import check_file, check_page

    if fast and suspects is not None:
        raise UsageError("--fast does not look for doubtful labels: there is no table of --suspects to write")
    if report is not None and suspects is not None and report.resolve() == suspects.resolve():
        raise UsageError(f"--report and --suspects are both {report}: the table would replace the page")
    if report is not None:
        need("train", what="the HTML page")
        check_page(report, data, force=force)
    if suspects is not None:
        check_file(suspects, data, force=force)
    with progress(quiet=quiet) as tell:
        dataset = opening.open(data, layout, group, task, things_of(things) or ())
        result = flow.check(dataset, fast=fast, seed=seed, threads=threads, progress=tell)
    if strict:
        result = result.strictly()
    if report is not None:
        flow.write_page(result, report)
    if suspects is not None:
        flow.write_suspects(result, suspects)
    emit(
        result.as_json(),
        as_json=as_json,
        human=lambda console: _show(console, result, verbose=verbose),
        exit_code=0 if result.ok else DataError.exit_code,
    )


def _show(console: Console, result: "CheckResult", *, verbose: bool) -> None:
    from foveal.flows.check import NOT_ASKED

    document = result.as_json()
    splits = ", ".join(f"{name} {count}" for name, count in document["splits"].items())
    console.print(f"[bold]{escape(visible(document['path']))}[/bold] ({document['format']})")
    console.print(f"{document['images']} images of {len(document['classes'])} classes: {splits}")
    if document["roles"]:
        roles = ", ".join(f"{count} {_ROLES[role]}" for role, count in document["roles"].items())
        console.print(f"training would use {roles}")
    for finding in result.findings:
        _show_finding(console, finding, most=len(finding.examples) if verbose else _EXAMPLES)
    for skipped in document["skipped"]:
        if skipped["reason"] != NOT_ASKED:
            console.print(f"\nskipped {skipped['check']}: {escape(visible(skipped['reason']))}")
            console.print(f"  → {escape(visible(skipped['hint']))}")
    if not result.findings:
        console.print("[green]nothing found that would spoil a result[/green]")
    elif not result.ok:
        console.print("[red]not fit for training as it is[/red]")


def _show_finding(console: Console, finding: "Finding", *, most: int) -> None:
    colour = _COLOURS[finding.severity]
    console.print(f"\n[{colour}]{finding.severity}[/{colour}] {escape(visible(finding.message))}")
    for example in finding.examples[:most]:
        console.print(f"    {escape(visible(example))}")
    if len(finding.examples) > most:
        console.print("    …")
    console.print(f"  → {escape(visible(finding.hint))}")
