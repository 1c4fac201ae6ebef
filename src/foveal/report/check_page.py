"""The page of a check: what was found in the data, with the pictures it was found in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed

Read = Callable[[str], UInt8 | None]
MOST_CLUSTERS, MOST_MEMBERS, MOST_SUSPECTS, MOST_OUTLIERS = 60, 6, 120, 60
_SIDE = 192  # pixels; there are many pictures on the page


@dataclass(frozen=True)
class Shown:
    """One picture under discussion.

    Attributes:
        source: Its name.
        image: None where it cannot be read any more.
        about: What the document says of it.
    """

    source: str
    image: Embedded | None
    about: Mapping[str, Any]


def check_page(document: Mapping[str, Any], *, read: Read) -> str:
    """Return a check as one HTML page that loads nothing from outside.

    Of very many near duplicates, suspects and outliers the first are shown; those across splits come first.

    Args:
        document: The `foveal.check/1` document.
        read: Returns the pixels of a picture, uint8 (H, W, C), or None.
    """

    def shown(rows: Sequence[Mapping[str, Any]], most: int) -> list[Shown]:
        return [Shown(row["source"], _embedded(read, row["source"]), row) for row in rows[:most]]

    clusters = sorted(document["near_duplicates"], key=lambda one: len(set(one["splits"])) < 2)
    page = templates().get_template("check.html.j2")
    return page.render(
        name=PurePath(document["path"]).name or document["path"],
        document=document,
        clusters=[(one, shown(_members(one), MOST_MEMBERS)) for one in clusters[:MOST_CLUSTERS]],
        suspects=shown(document["label_suspects"], MOST_SUSPECTS),
        outliers=shown(document["outliers"], MOST_OUTLIERS),
        largest=max((one["images"] for one in document["statistics"]), default=1) or 1,
        palette=PALETTE,
    )


def _members(cluster: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the members of a cluster, those of different splits in turn, so that both sides are seen."""
    columns = zip(cluster["sources"], cluster["labels"], cluster["splits"], strict=True)
    rows = [{"source": source, "label": label, "split": split} for source, label, split in columns]
    turn: dict[str, int] = {}
    order = []
    for row in rows:
        turn[row["split"]] = turn.get(row["split"], 0) + 1
        order.append(turn[row["split"]])
    return [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]


def _embedded(read: Read, source: str) -> Embedded | None:
    pixels = read(source)
    return None if pixels is None else embed(pixels, longest=_SIDE)
