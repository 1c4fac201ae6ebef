"""The page of a taught recognizer: its pictures, and what was answered while each was left out."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import ClassPictures, embed, strips
from foveal.report.tables import confusion_table

_SIDE = 160  # pixels; there are several pictures in a row


def taught_page(
    document: Mapping[str, Any],
    pictures: Mapping[str, Sequence[UInt8]],
    strange: Sequence[tuple[str, str, UInt8]],
) -> str:
    """Return a taught recognizer as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.fewshot/1` document.
        pictures: All that were taught, by class, uint8 (H, W, 3).
        strange: Those taken for unknown while they were left out: name, class and pixels.
    """
    gallery = [ClassPictures(name, len(some), tuple(some)) for name, some in sorted(pictures.items())]
    table = document["held_out"]["confusion"]
    asked = {"classes": list(document["classes"]), "confusion": table, "worst_mistakes": []}
    page = templates().get_template("taught.html.j2")
    return page.render(
        name=PurePath(document["bundle"]).parent.name or "taught",
        document=document,
        gallery=strips(gallery),
        gallery_classes=len(gallery),
        confusion=None if table is None else confusion_table(asked),
        strange=[(name, label, embed(pixels, longest=_SIDE)) for name, label, pixels in strange],
        palette=PALETTE,
    )
