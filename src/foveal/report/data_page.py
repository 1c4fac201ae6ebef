"""One self-contained page that shows what is in a data set."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from foveal.data.dataset import UInt8
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import ClassPictures, embed, strips

_DRAWN_SIDE = 640  # pixels; names on boxes have to be read


def data_page(
    document: Mapping[str, Any],
    pictures: Sequence[Sequence[UInt8]],
    drawn: Sequence[tuple[str, UInt8]] = (),
) -> str:
    """Return a data set as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.data/1` document of `show`.
        pictures: Some of each class, uint8 (H, W, C), in the order of the document's rows; of data with
            annotations none.
        drawn: Of these some with what is where on them, uint8 (H, W, 3), each with its name.
    """
    gallery = [
        ClassPictures(row["class"], row["images"], tuple(some))
        for row, some in zip(document["per_class"] if pictures else (), pictures, strict=True)
    ]
    return (
        templates()
        .get_template("data.html.j2")
        .render(
            name=PurePath(document["path"]).name,
            document=document,
            gallery=strips(gallery),
            gallery_classes=len(gallery),
            drawn=[(source, embed(pixels, longest=_DRAWN_SIDE)) for source, pixels in drawn],
            palette=PALETTE,
        )
    )
