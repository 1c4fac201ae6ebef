"""The option that two commands share."""

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    Path | None, typer.Option("--out", help="Bundle to write, F.foveal; without it --force replaces BUNDLE.")
]
