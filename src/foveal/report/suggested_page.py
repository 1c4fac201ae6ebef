"""The page of pictures to label next."""

from collections.abc import Mapping, Sequence
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import embed

_SIDE = 160  # pixels of a picture on the page


def suggested_page(suggested: Sequence[Mapping[str, Any]], pictures: Sequence[UInt8], *, among: int) -> str:
    """Return the page as HTML that loads nothing from outside.

    Args:
        suggested: Rows of `suggested.csv`.
        pictures: Of the same, uint8 (H, W, C).
        among: How many unlabelled pictures were looked at.
    """
    page = templates().get_template("suggested.html.j2")
    shown = [(row, embed(picture, longest=_SIDE)) for row, picture in zip(suggested, pictures, strict=True)]
    return page.render(name="Label these next", shown=shown, among=among, palette=PALETTE)
