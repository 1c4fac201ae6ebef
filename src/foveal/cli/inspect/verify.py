"""`foveal inspect verify`: is the log of a line what was written?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.core.errors import DataError
from foveal.core.text import visible


def verify(
    log: Annotated[Path, typer.Argument(readable=False, help="The folder of a log.")],
    head: Annotated[
        str | None, typer.Option("--head", help="Hash of a record that has to be in it, as run tells it.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare every record of a log with its hash and with the record before.

    Only a hash that was kept elsewhere shows whether the end of a log is missing: name it with --head.
    """
    from foveal.flows.inspect_verify import inspect_verify

    document = inspect_verify(log, head=head)
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else DataError.exit_code,
    )


def _show(console: Console, document: dict[str, Any]) -> None:
    each = ", ".join(f"{count:,} {verdict}" for verdict, count in document["verdicts"].items())
    console.print(f"{document['records']:,} records: {each}", markup=False)
    if document["first"] is not None:
        console.print(f"from {visible(document['first'])} to {visible(document['last'])}", markup=False)
    if document["torn_bytes"]:
        console.print(
            f"{document['torn_bytes']} bytes behind them were never promised; the next run cuts them"
        )
    broken = document["broken"]
    if broken is not None:
        place = f"record {broken['n']:,} ({visible(broken['file'])}, line {broken['line']})"
        console.print(f"BROKEN at {place}: {broken['why']}; what is behind it is not counted", markup=False)
    elif not document["ok"]:
        console.print("BROKEN: no record has the hash that was asked for, so records are missing")
    else:
        console.print(f"whole; head {document['head']}", markup=False)
