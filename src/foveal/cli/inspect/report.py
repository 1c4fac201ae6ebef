"""`foveal inspect report`: what came of the parts of a line?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Verbose, emit
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.types import Measured


def report(
    log: Annotated[
        Path, typer.Argument(readable=False, help="The folder of a log, or a file of JSON lines.")
    ],
    lots: Annotated[bool, typer.Option("--lots", help="Show every lot.")] = False,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="CSV with the columns source and defective (0 or 1).")
    ] = None,
    human_miss: Annotated[
        float | None,
        typer.Option("--human-miss", min=0, max=1, help="Share of defective parts that people pass."),
    ] = None,
    human_false_call: Annotated[
        float | None,
        typer.Option("--human-false-call", min=0, max=1, help="Share of good parts that people reject."),
    ] = None,
    human_parts: Annotated[
        int | None, typer.Option("--human-parts", min=1, help="How many parts each of these rests on.")
    ] = None,
    human_seconds: Annotated[
        float | None, typer.Option("--human-seconds", min=0, help="What a part takes people.")
    ] = None,
    baseline: Annotated[
        int, typer.Option("--baseline", min=1, help="First decisions that later ones are compared with.")
    ] = 500,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with figures.")] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Count what was decided by lot, the kinds of defects, and tell whether scores or verdicts have changed.

    With the truth of some parts it says whether the line is better than people, by an exact test.
    """
    from foveal.flows._page import check_page
    from foveal.flows.inspect_report import People, inspect_report

    if html is not None:
        need("train", what="the HTML page")
        check_page(html, None, force=force)
    document = inspect_report(
        log,
        truth=truth,
        people=People(human_miss, human_false_call, human_parts, human_seconds),
        baseline=baseline,
        html=html,
    )
    emit(document, as_json=as_json, human=lambda console: _show(console, document, lots=lots))


def _show(console: Console, document: dict[str, Any], *, lots: bool) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False)

    say(f"{document['parts']:,} parts from {visible(document['first'])} to {visible(document['last'])}")
    for verdict in ("accept", "reject", "review"):
        say(f"{verdict:8}{Measured(**document[verdict])}")
    for reason, count in document["reasons"].items():
        say(f"  review for {visible(reason)}: {count:,}")
    if lots:
        for lot in document["lots"]:
            shares = ", ".join(f"{lot[v]['value']:.1%} {v}" for v in ("accept", "reject", "review"))
            say(f"lot {visible(lot['lot'])}: {lot['parts']:,} parts, {shares}")
    for row in document["kinds"][:10]:
        say(f"{visible(row['kind'])}: {row['parts']:,} rejected parts, {row['share']:.1%}")
    for alarm in document["alarms"]:
        say(f"ALARM at part {alarm['part']:,}: {alarm['message']}")
    people = document["people"] or {}
    for name, what in (("miss", "misses beside people"), ("false_call", "false calls beside people")):
        if people.get(name) is not None:
            one = people[name]
            say(f"{what}: {Measured(**one['machine'])}; {one['verdict']}, p = {one['p_value']:.2g}")
    if people.get("seconds") is not None:
        hours = {key: seconds / 3600 for key, seconds in people["seconds"].items()}
        say(f"by hand: {hours['reviews_by_hand']:.1f} h of reviews, all parts {hours['all_by_hand']:.1f} h")
    if document["html"]:
        say(f"page: {visible(document['html'])}")
