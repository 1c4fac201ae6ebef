"""What a build lays out for somebody else: the bundle, the page with the speed in it, and the card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveal.bundle import archive
from foveal.bundle.archive import Members
from foveal.core import files
from foveal.core.text import visible
from foveal.core.units import show_bytes
from foveal.report import speed_words, words
from foveal.report.page import with_speed

REPORT, CARD = "report.html", "README.md"


def hand_over(out: Path, name: str, *, run: Path, speed: Mapping[str, Any]) -> list[str]:
    """Write the three files, and return their names.

    Args:
        out: The folder.
        name: Of the bundle, without ending.
        run: The finished run.
        speed: The `foveal.bench/1` document.

    Raises:
        WriteError: One cannot be written.
    """
    bundle = f"{name}{archive.SUFFIX}"
    files.write_bytes(out / bundle, (run / bundle).read_bytes())
    page = (run / REPORT).read_text(encoding="utf-8")
    files.write_text(out / REPORT, with_speed(page, speed))
    files.write_text(out / CARD, _card(archive.read(run / bundle), bundle, speed))
    return [bundle, REPORT, CARD]


def verdict(members: Members, speed: Mapping[str, Any]) -> list[str]:
    """Return in a few sentences how good it is, how sure, how fast, how large, and what is not proven.

    Args:
        members: The bundle with its report attached.
        speed: The `foveal.bench/1` document.
    """
    report = members.report or {}
    return [
        f"On pictures it had not seen it is right in {words.measured(report['metrics']['accuracy'])}.",
        words.against_majority(report),
        words.abstention(report),
        *(f"On {speed['machine']['cpu']}, {speed_words.choice(found)}." for found in speed["choices"]),
        f"The file has {show_bytes(members.size_bytes)}.",
        *(f"Not proven: {sentence}" for sentence in words.unproven(report)),
    ]


def _card(members: Members, bundle: str, speed: Mapping[str, Any]) -> str:
    """Return the bundle's model card with what was measured of it, and what lies beside it."""
    lines = [
        "## What was measured",
        "",
        *(f"- {visible(sentence)}" for sentence in verdict(members, speed)),
        "",
        "## What is in this folder",
        "",
        f"- `{bundle}`: the recognizer; it holds none of your pictures",
        f"- `{REPORT}`: all that was measured; it holds pictures from your data",
        "- `check.json`, `bench.json`, `build.json`: what the check, the bench and the whole build found",
        "- `run/`: the training run; needed to export or train again, not to recognize",
        "",
    ]
    return members.readme.rstrip() + "\n\n" + "\n".join(lines)
