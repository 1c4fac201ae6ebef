"""One self-contained page: the user's pictures first, then what was measured and what it means."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any

from foveal.core.errors import MissingExtraError
from foveal.core.text import visible
from foveal.core.units import show_bytes
from foveal.data.dataset import UInt8
from foveal.report import speed_words, words
from foveal.report.drawing import PALETTE, inline
from foveal.report.figures import Row, learning_charts, page_charts
from foveal.report.pictures import ClassPictures, embed, strips
from foveal.report.speed import speed
from foveal.report.tables import confusion_table, origin, thinned

try:
    import jinja2
    from markupsafe import Markup
except ImportError as error:
    raise MissingExtraError("the report page", "train") from error


_LAST_SECTION = '<section id="origin"'


def training_page(
    document: words.Document,
    *,
    history: Sequence[Row],
    gallery: Sequence[ClassPictures],
    pictures: Mapping[str, UInt8],
) -> str:
    """Return the report of a training as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.evaluate/1` document of the sealed bundle.
        history: Rows of `history.jsonl` in order: step, seen, loss, accuracy, learning_rate.
        gallery: Some of the user's pictures, class by class.
        pictures: The worst mistakes by source, uint8 (H, W, C); one that is missing is named without picture.
    """
    return _page(document, history=history, gallery=gallery, pictures=pictures)


def evaluation_page(
    document: words.Document,
    *,
    pictures: Mapping[str, UInt8],
    gallery: Sequence[ClassPictures] = (),
) -> str:
    """Return the report of an evaluation as one HTML page; arguments as in `training_page`."""
    return _page(document, history=(), gallery=gallery, pictures=pictures)


def refusal_page(parity: Mapping[str, Any], limit: float, *, history: Sequence[Row]) -> str:
    """Return the page of a training whose export was refused: what failed, and how it had learned.

    Args:
        parity: The contract's `parity` object.
        limit: Largest difference that is allowed.
        history: Rows of `history.jsonl`.
    """
    page = _templates().get_template("refusal.html.j2")
    return page.render(
        name="The export was refused",
        parity=parity,
        limit=limit,
        charts=learning_charts(history),
        palette=PALETTE,
    )


def bench_page(document: words.Document) -> str:
    """Return the report of a bench as one HTML page.

    Args:
        document: `foveal.bench/1`.
    """
    page = _templates().get_template("bench.html.j2")
    return page.render(
        name=_name(document["bundle"]),
        document=document,
        chart=speed(document),
        size=show_bytes(document["size_bytes"]),
        palette=PALETTE,
    )


def with_speed(page: str, document: words.Document) -> str:
    """Return the page of a training or an evaluation with what a bench measured, before its last section.

    Args:
        page: As `training_page` returned it; names in it are escaped, so the place is found once.
        document: `foveal.bench/1`.
    """
    section = _templates().get_template("speed.html.j2").render(document=document, chart=speed(document))
    before, last, after = page.partition(_LAST_SECTION)
    return before + section + "\n" + last + after


def _page(
    document: words.Document,
    *,
    history: Sequence[Row],
    gallery: Sequence[ClassPictures],
    pictures: Mapping[str, UInt8],
) -> str:
    page = _templates().get_template("page.html.j2")
    return page.render(
        name=_name(document["bundle"]),
        document=document,
        metrics=document["metrics"],
        trained=bool(history),
        gallery=strips(gallery),
        gallery_classes=len(gallery),
        mistakes=[
            (mistake, embed(pictures[mistake["source"]]) if mistake["source"] in pictures else None)
            for mistake in document["worst_mistakes"]
        ],
        charts=page_charts(document, history),
        confusion=confusion_table(document),
        origin=origin(document),
        palette=PALETTE,
    )


def _name(bundle: str | None) -> str:
    return PurePath(bundle).stem if bundle else "Recognizer"


def _on_one_line(value: object) -> object:
    """Return what a template prints; names may hold control characters and halves of letters."""
    return visible(value) if type(value) is str else value


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("foveal.report"),
        autoescape=True,  # class and file names are the user's and may hold markup
        finalize=_on_one_line,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "speed_words": speed_words}
    environment.filters |= {
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "percent": words.percent,
        "measured": words.measured,
        "few": thinned,
        "inline": lambda drawing: Markup(inline(drawing)),
    }
    return environment
