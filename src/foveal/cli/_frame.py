"""What every command shares: options, the one document on stdout, talk on stderr."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

ERROR_SCHEMA = "foveal.error/1"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no talk.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at warnings of the check, too.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Every random choice follows from it.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Default: all processors we may use.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/train-<n>.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def talk(message: str) -> None:
    """Say something to the person, on stderr; never part of the result."""
    print(f"foveal: {message}", file=sys.stderr, flush=True)


def emit(
    document: dict[str, Any],
    *,
    as_json: bool,
    human: "Callable[[Console], None]",
    exit_code: int = 0,
) -> None:
    """Print the result once, for a program or for a person, and end the command.

    Args:
        document: The contract's document with `schema` and `ok`.
        as_json: Print the document on stdout; otherwise `human` prints there.
        human: Prints the result with rich.
        exit_code: 0, 10 for a failed gate, 65 for bad data …

    Raises:
        typer.Exit: When `exit_code` is not 0.
    """
    if as_json:
        print(json.dumps(document, ensure_ascii=False, allow_nan=False), flush=True)
    else:
        from rich.console import Console  # here: who asks for JSON does not wait for it

        human(Console(highlight=False, soft_wrap=True))
    if exit_code:
        raise typer.Exit(exit_code)
