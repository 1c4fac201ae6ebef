"""The page of what says where something is: the user's pictures with it, then what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.figures import Row, learning_charts
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed
from foveal.report.tables import origin

_TEMPLATES = {
    "segment": "regions.html.j2",
    "defect": "defects.html.j2",
    "panoptic": "panoptic.html.j2",
}  # of any other task: that of objects
_LONGEST = 968  # pixels on the page, of two pictures beside each other: boxes have to be told apart


@dataclass(frozen=True)
class Shown:
    """A picture with what was found on it.

    Attributes:
        source: Its name.
        said: In a few words what is right and wrong on it.
        picture: For the page.
    """

    source: str
    said: str
    picture: Embedded


def shown(source: str, said: str, pixels: UInt8) -> Shown:
    """Return a picture, uint8 (H, W, C), with its words, for the page."""
    return Shown(source, said, embed(pixels, longest=_LONGEST))


def scenes_page(
    document: Mapping[str, Any], *, history: Sequence[Row] = (), pictures: Sequence[Shown] = ()
) -> str:
    """Return the report as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.evaluate/1` document of the sealed bundle.
        history: Rows of `history.jsonl`; empty where nothing was trained.
        pictures: Some of the user's pictures.
    """
    page = templates().get_template(_TEMPLATES.get(document["task"], "objects.html.j2"))
    charts = learning_charts(history) if history else {}
    return page.render(
        name=PurePath(document["bundle"] or "recognizer").stem,
        document=document,
        metrics=document["metrics"],
        pictures=pictures,
        charts={"learning_loss": charts["learning_loss"]} if "learning_loss" in charts else {},
        origin=origin(dict(document)),
        palette=PALETTE,
    )
