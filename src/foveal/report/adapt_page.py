"""The page of an adaptation: whether it helped, which classes are answered, what is answered otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import embed

_SIDE = 96  # pixels of a picture on the page


@dataclass(frozen=True)
class Changed:
    """A picture that is answered otherwise than before.

    Attributes:
        picture: uint8 (H, W, C).
        before, after: The classes.
    """

    picture: UInt8 = field(repr=False)
    before: str
    after: str


def adapt_page(document: Mapping[str, Any], changed: Sequence[Changed]) -> str:
    """Return the report as one HTML page that loads nothing from outside.

    Args:
        document: `foveal.adapt/1`.
        changed: Some pictures that are answered otherwise.
    """
    shares = document["answers"]["shares"]
    return (
        templates()
        .get_template("adapt.html.j2")
        .render(
            name=f"{document['model']} in a new environment",
            document=document,
            collapsed=any(g["id"] == "collapse" and g["verdict"] == "fail" for g in document["gates"]),
            shares=sorted(shares.items(), key=lambda row: -row[1]["before"]),
            verdict=verdict,
            calibration=calibration(document),
            changed=[(one, embed(one.picture, longest=_SIDE)) for one in changed],
            palette=PALETTE,
        )
    )


def verdict(compared: Mapping[str, Any]) -> str:
    """Return what a comparison before and after shows, for people."""
    points = [100 * compared["difference"][key] for key in ("value", "low", "high")]
    said = {
        "better": "adapting helped",
        "worse": "adapting did harm",
        "no_difference_shown": "no difference shown",
    }[compared["verdict"]]
    return f"{said}: {points[0]:+.1f} points ({points[1]:+.1f} to {points[2]:+.1f})"


def calibration(document: Mapping[str, Any]) -> str:
    """Return in which environment confidence and thresholds were fitted, and what follows."""
    told = document["calibrated"]
    if told is None:
        return "nothing was calibrated"
    if told["on"] == "labelled":
        many = f"{told['images']:,} labelled pictures of the new environment"
        return f"confidence and thresholds were fitted on {many}"
    return (
        f"confidence and thresholds were fitted on {told['images']:,} pictures of the old environment and "
        f"promise nothing in the new one; {told['needed']:,} labelled pictures of it, of all classes, would"
    )
