"""The page of a training with texts: what it is worth, and how it learned."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from foveal.report import words
from foveal.report.drawing import PALETTE
from foveal.report.figures import Row, learning_charts
from foveal.report.page import templates

_WAYS = {"image_to_text": "the text of a picture", "text_to_image": "the picture of a text"}


def clip_page(document: Mapping[str, Any], *, history: Sequence[Row]) -> str:
    """Return a training as one HTML page that loads nothing from outside and holds no picture.

    Args:
        document: The `foveal.clip/1` document of `train`.
        history: Rows of `history.jsonl`.
    """
    page = templates().get_template("clip.html.j2")
    return page.render(
        name=PurePath(document["data"]).name,
        document=document,
        rows=retrieval_rows(document["metrics"].get("test")),
        charts=learning_charts(history),
        palette=PALETTE,
    )


def retrieval_rows(test: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Return what was looked for, how often it was found, and how often chance finds it.

    Args:
        test: Of the document; None: nothing was kept apart.
    """
    if test is None:
        return []
    return [
        (
            f"{what} among the first {k}" if k > 1 else f"{what}, first",
            words.measured(test[way][f"recall_at_{k}"]),
            words.percent(test[way][f"chance_at_{k}"]),
        )
        for way, what in _WAYS.items()
        for k in (1, 5)
    ]
