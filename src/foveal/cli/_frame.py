"""What every command shares: options, the one document on stdout, talk on stderr."""

import codecs
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.core.errors import DeviceError
from foveal.core.machine import MOST_THREADS
from foveal.core.text import printable, visible

if TYPE_CHECKING:
    from rich.console import Console

ERROR_SCHEMA = "foveal.error/1"
_FOREIGN_BYTES = re.compile("[\udc80-\udcff]+")  # how Python holds the bytes of a name that is no UTF-8
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")  # these JSON leaves as they are; some also end a line

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no talk.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at warnings of the check, too.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Every random choice follows from it.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=MOST_THREADS, help="Default: all processors we may use.")
]

Engine = Annotated[
    str,
    typer.Option("--engine", help="Such as onnxruntime; auto: what foveal bench found fastest here."),
]
Precision = Annotated[
    str,
    typer.Option("--precision", help="fp32, bf16 … as the engine offers; auto: fp32, or what was fastest."),
]


def named(choice: str) -> str | None:
    """Return what an option names, or None for `auto`."""
    return None if choice == "auto" else choice


def _known(device: str) -> str:
    if device not in ("auto", "cpu"):
        raise DeviceError(f"foveal works on the CPU; there is no device {device!r}", hint="--device cpu")
    return device


Device = Annotated[str, typer.Option("--device", callback=_known, help="auto or cpu.")]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        help="What must not be torn apart: a key such as track, or labels+track; or a pattern over names.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/train-<n>.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file or the run that is there.")]


class Stopped(BaseException):
    """A command was asked to end, has finished what it had begun, and has said all there is to say."""

    def __init__(self, how: str) -> None:
        """Take `interrupted` or `terminated`."""
        super().__init__(how)
        self.exit_code = {"interrupted": 130, "terminated": 143}[how]


def speaks() -> bool:
    """Return whether this process tells the result: of those that `torchrun` started, the first one does."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def talk(message: str, *more: str) -> None:
    """Say something to the person, on stderr, in one or more lines; never part of the result."""
    lines = "\n  ".join(map(visible, (message, *more)))
    print(f"foveal: {lines}", file=sys.stderr, flush=True)


def print_json(document: dict[str, Any]) -> None:
    r"""Print a document on one line of stdout: valid JSON and valid UTF-8, whatever names are in it.

    Bytes of a name that are no UTF-8 become `\xe4`, as everywhere. Where stdout has another encoding, only
    ASCII is written.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    if not text.isascii() or "\x7f" in text:
        text = _FOREIGN_BYTES.sub(lambda found: printable(found[0]).replace("\\", "\\\\"), text)
        text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8":
            text = json.dumps(json.loads(text))
    # What is left of halves of letters, \ud800, came from no file name; as an escape it is valid JSON.
    print(text.encode("utf-8", "backslashreplace").decode(), flush=True)


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
        print_json(document)
    else:
        from rich.console import Console  # here: who asks for JSON does not wait for it

        human(Console(highlight=False, soft_wrap=True))
    if exit_code:
        raise typer.Exit(exit_code)
