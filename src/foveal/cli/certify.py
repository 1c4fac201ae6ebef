"""`foveal certify`: what holds for the file that ships, and how is that known?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foveal.cli._frame import Device, Force, Group, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from foveal.flows.certify import Certified

_FAILED = 10


def certify(
    bundle: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            readable=False, help="Folder, zip, tar or IDX files, of pictures or films; see foveal check."
        ),
    ],
    twin: Annotated[
        Path | None, typer.Option(help="Run folder with the torch network that the bundle was made from.")
    ] = None,
    level: Annotated[str, typer.Option(help="How much is measured: smoke, quick or full.")] = "quick",
    profile: Annotated[
        str, typer.Option(help="Your limits: a TOML file, or industrial, physical, digital.")
    ] = "industrial",
    unknown: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures, or films, of things it was not taught; may be repeated."),
    ] = None,
    slices: Annotated[
        Path | None, typer.Option(help="CSV that tells pictures apart: the same numbers for each kind.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of the data, such as test.")] = None,
    group: Group = None,
    attach: Annotated[
        bool | None,
        typer.Option("--attach/--no-attach", help="Put the certificate into the bundle, too; smoke: no."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default runs/certify-<n>.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 10 unless every limit is shown to be kept.")
    ] = False,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure how reliable the file that ships is, judge it by your limits, and write a certificate."""
    from foveal.flows import certify as flow

    strange = tuple(unknown or ())
    terms = flow.Terms(level, profile, twin, strange, slices, split, attach, seed, threads, group)
    with progress(quiet=quiet) as tell:
        found = flow.run(bundle, data, terms, out=out, force=force, progress=tell)
    emit(
        found.document,
        as_json=as_json,
        human=lambda console: _show(console, found),
        exit_code=_exit_code(found.document["verdict"], strict=strict),
    )


def _exit_code(verdict: str, *, strict: bool) -> int:
    return _FAILED if verdict == "fail" or (strict and verdict != "pass") else 0


def _show(console: "Console", found: "Certified") -> None:
    from foveal.report import certificate_words as words

    document = found.document

    def line(title: str, text: str) -> None:
        console.print(f"{title:<13}{visible(text)}", markup=False)  # names are the user's

    line("certified", f"{document['bundle']}, digest {document['digest'][:12]}…")
    line("on", words.measured_on(document))
    line("profile", f"{document['profile']['name']}, level {document['level']}")
    if not document["twin"]["used"]:
        line("no network", document["twin"]["why_not"])
    for gate in document["gates"]:
        if gate["limit"] is not None or gate["value"] is not None:
            line(words.verdict(gate), words.sentence(gate))
    left_out: dict[str, list[str]] = {}
    for gate in document["gates"]:
        if gate["value"] is None and gate["limit"] is None:
            left_out.setdefault(gate["note"], []).append(gate["name"])
    for why, names in left_out.items():
        line("left out", f"{'; '.join(names)}: {why}")
    if others := words.limits_of_others(document):
        line("not about", others)
    line("verdict", words.conclusion(document))
    line("certificate", document["certificate"])
    line("page", document["page"] or 'none: what draws it is not installed: pip install "foveal[train]"')
    if found.not_attached is not None:
        line("not attached", found.not_attached)
