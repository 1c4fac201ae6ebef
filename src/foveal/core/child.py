"""Ask one of our modules something in a process of its own: what kills that one does not kill us."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """What the process said.

    Attributes:
        answer: The JSON object it printed, or None.
        error: Why there is none, or None.
    """

    answer: dict[str, Any] | None
    error: str | None = None


def ask(module: str, *arguments: str) -> Told:
    """Run `python -m module arguments…`, which prints one JSON object; it ends with us on Ctrl-C.

    Args:
        module: Full name of a module of this package.
        arguments: Its command line.
    """
    # -P: a file in the working folder that is called like a module of ours or of others is not meant.
    command = [sys.executable, "-P", "-m", module, *arguments]
    child = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if child.returncode < 0:
        return Told(None, f"the process was killed by signal {-child.returncode}")
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        last = (child.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Told(None, f"the process ended with {child.returncode}: {last}")
    return Told(answer)
