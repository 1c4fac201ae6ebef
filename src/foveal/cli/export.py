"""`foveal export`: write the bundle of a run, and prove that it decides as the network does."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Device, Force, Json, Quiet, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.wording import counted

if TYPE_CHECKING:
    from rich.console import Console


def export(
    run: Annotated[Path, typer.Argument(readable=False, help="A run folder, such as runs/last.")],
    out: Annotated[Path, typer.Option(help="The bundle to write; its name ends in .foveal.")],
    data: Annotated[
        Path | None, typer.Option(help="Where the run's data are now; default: where it found them.")
    ] = None,
    variant: Annotated[
        str, typer.Option(help="Numbers in the file: fp32, int8, mixed (int8 and fp32), w4a8 or int4.")
    ] = "fp32",
    openvino: Annotated[
        bool, typer.Option("--openvino", help="Put OpenVINO's own form of the network into the file, too.")
    ] = False,
    members: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another run whose network answers, too; as often as you like."),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Share of the last features that each mask leaves out, such as 0.2.")
    ] = None,
    masks: Annotated[int, typer.Option(help="Masks, where there is --dropout.")] = 8,
    force: Force = False,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export a finished run again: calibrate the file, compare it with the network, seal it."""
    need("train")
    from foveal.flows._together import Together
    from foveal.flows.export import Terms
    from foveal.flows.export import export as flow

    together = Together(tuple(members or ()), dropout, masks)
    with progress(quiet=quiet) as tell:
        result = flow(run, out, data=data, terms=Terms(variant, openvino, force, together), progress=tell)
    document = result.as_json()
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else 10,
    )


def _show(console: "Console", document: dict[str, Any]) -> None:
    def line(title: str, text: str) -> None:
        console.print(f"{title:<10}{visible(text)}", markup=False)

    if document["members"]:
        runs = ", ".join((document["run"], *document["members"]))
        line("members", f"{runs}: their probabilities are averaged")
    if document["dropout"] is not None:
        share, masks = document["dropout"]["share"], document["dropout"]["masks"]
        line("masks", f"{masks} of each network, each without {share:.0%} of its last features")
    whole = document["variant"] == "fp32"
    _compared(line, document["parity"], "file and network" if whole else "rounded file and float32")
    if document["openvino"] is not None:
        _compared(line, document["openvino"]["parity"], "OpenVINO's form and network")
    if document["bundle"] is None:
        line("gate", f"failed: {_failed(document)}; no bundle was written")
        return
    for gate in document["gates"]:
        if gate["id"] in document["unproven"]:
            line("unproven", _unproven(document, gate))
    size = units.show_bytes(document["size_bytes"])
    if document["openvino"] is not None:
        size += f", of which {units.show_bytes(document['openvino']['size_bytes'])} are OpenVINO's form"
    line("bundle", f"{document['bundle']}, {size}")
    line("digest", document["digest"])


def _compared(line: Callable[[str, str], None], parity: dict[str, Any], what: str) -> None:
    from foveal.report import words

    line("compared", f"{counted(parity['images'], 'image')} of calibration and test, {what}")
    if parity["max_abs_difference"] is not None:
        line("largest", f"difference of a probability {parity['max_abs_difference']:.2g}")
    line("changed", f"{_decided(parity)}: {words.measured(parity['decision_flips'])}")


def _decided(parity: dict[str, Any]) -> str:
    """Return what may have changed: what pictures are called, objects that are shown, classes of pixels."""
    return "answers" if parity["unit"] == "pictures" else str(parity["unit"])


def _unproven(document: dict[str, Any], gate: dict[str, Any]) -> str:
    """Return which limit the interval breaks, and what tells more."""
    from foveal.report import words

    parity = document["parity"] if gate["id"] == "flips" else document["openvino"]["parity"]
    found, most = parity["decision_flips"], words.limit(gate["limit"])
    end = f"the interval reaches to {words.percent(found['high'])} (n={found['n']:,})"
    told = f"that at most {most} of the {_decided(parity)} change: {end}"
    return f"{told}; foveal compare says on your pictures how many do"


def _failed(document: dict[str, Any]) -> str:
    """Return which gate failed, and what to do."""
    from foveal.report import words

    gate = document["gates"][-1]
    if gate["id"] == "parity":
        return "the exported file does not decide as the network does"
    if gate["id"] == "openvino":
        return "OpenVINO's form does not decide as the network does; leave --openvino out"
    less = "--variant mixed leaves in fp32 what changes most, " if document["variant"] == "int8" else ""
    return (
        f"{words.measured(document['parity']['decision_flips'])} of the {_decided(document['parity'])} "
        f"changed, at most "
        f"{words.limit(gate['limit'])} may; {less}"
        f"foveal optimize {document['run']} makes smaller ones within a limit on accuracy"
    )
