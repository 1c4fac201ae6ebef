"""The end of a search: what is recommended is proven on pictures that chose nothing, and delivered."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from foveal.bundle import archive, remembered
from foveal.bundle.archive import SUFFIX
from foveal.core import files
from foveal.core.errors import WriteError
from foveal.core.types import Gate
from foveal.flows._optimize_document import Delivery
from foveal.flows._optimize_setup import Setup
from foveal.optimize.decision import Outcome
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Workshop

TEST = "test.json"
_NO_PROMISE = (
    "nothing that the original promises is promised of the new file: without labelled pictures it abstains "
    "from nothing, and its sets hold all classes"
)


def delivered(shop: Workshop, outcome: Outcome, setup: Setup, *, name: str) -> Delivery:
    """Prove what is recommended, and copy it where it is proven.

    Args:
        shop: Where the search worked.
        outcome: What it came to.
        setup: Proves.
        name: Of the bundle, without its ending.

    Raises:
        WriteError: The bundle cannot be written.
    """
    bundle = shop.folder / f"{name}{SUFFIX}"
    files.remove(bundle)  # of an earlier end of this search
    rows = {row.variant.name: row.variant for row in outcome.rows}
    said = list(setup.warnings)
    if outcome.recommended is None:
        return Delivery(warnings=said)
    chosen = rows[outcome.recommended]
    proven = _proven(chosen, rows["original"], shop, setup)
    gate = _drop_gate(proven, shop)
    if gate.verdict != "pass":
        return Delivery(proven=proven, gates=[gate], warnings=said)
    files.write_bytes(bundle, shop.path(chosen).read_bytes())
    if proven["report"] is not None:
        said += _attached(bundle, proven["report"])
    if chosen is not rows["original"]:  # where nothing else is recommended, what bench found stays as it is
        said += _remembered(bundle, chosen)
    if chosen.bundle is not None:
        said += [] if shop.roles.calibrating is not None else [_NO_PROMISE]
    return Delivery(bundle, proven, [gate], said)


def _attached(bundle: Path, report: dict[str, Any]) -> list[str]:
    """Put the evaluation into the bundle; return what is to be said where it is too long for that."""
    try:
        archive.attach_report(bundle, report)
    except WriteError as error:
        if error.code != "too_many_bytes":
            raise
        return [error.message]
    return []


def _remembered(bundle: Path, chosen: Variant) -> list[str]:
    """Let this machine run the bundle as it was measured; return what is to be said where that cannot be."""
    try:
        remembered.remember(archive.read(bundle).manifest.digest, chosen.ways)
    except WriteError as error:
        return [f"the fastest way to run it was not remembered: {error.message}"]
    return []


def _proven(chosen: Variant, original: Variant, shop: Workshop, setup: Setup) -> dict[str, Any]:
    """Measure what is recommended on pictures that chose nothing, once."""
    path = shop.folder / TEST

    def work() -> list[str]:
        files.write_json(path, setup.prove(shop, chosen, original))
        return [path.name]

    shop.carry_out("test", {"digest": shop.digest(shop.path(chosen)), "way": asdict(chosen.speed.way)}, work)
    return files.read_json(path, lambda found: {**found}, hint="--force begins anew in this folder")


def _drop_gate(proven: dict[str, Any], shop: Workshop) -> Gate:
    lost, judge = proven["drop"]["value"], shop.roles.pictures
    of_test = f"{judge.measure} lost on the test pictures"
    return Gate(
        id="drop",
        name=of_test if judge.labelled else "answers changed on pictures of the proof",
        verdict="pass" if lost <= shop.budget.drop else "fail",
        value=lost,
        limit=shop.budget.drop,
    )
