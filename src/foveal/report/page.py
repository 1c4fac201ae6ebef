"""One self-contained page: the user's pictures first, then what was measured and what it means."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import MissingExtraError
from foveal.core.text import visible
from foveal.core.units import show_bytes
from foveal.core.wording import counted
from foveal.data.dataset import UInt8
from foveal.explain.overlay import overlay
from foveal.report import over_time, speed_words, words
from foveal.report.drawing import PALETTE, inline
from foveal.report.figures import Row, learning_charts, page_charts
from foveal.report.pictures import ClassPictures, Embedded, embed, strips
from foveal.report.roofline_figure import roofline_figure
from foveal.report.speed import speed
from foveal.report.tables import confusion_table, origin, thinned

try:
    import jinja2
    from markupsafe import Markup
except ImportError as error:
    raise MissingExtraError("the report page", "train") from error

Maps = Mapping[str, Sequence[NDArray[np.float32]]]
_NO_MAPS: Maps = {}


_LAST_SECTION = '<section id="origin"'


def training_page(
    document: words.Document,
    *,
    history: Sequence[Row],
    gallery: Sequence[ClassPictures],
    pictures: Mapping[str, UInt8],
    maps: Maps = _NO_MAPS,
    baseline: Mapping[str, Any] | None = None,
) -> str:
    """Return the report of a training as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.evaluate/1` document of the sealed bundle.
        history: Rows of `history.jsonl` in order: step, seen, loss, accuracy, learning_rate; of a baseline
            the settings that were tried.
        gallery: Some of the user's pictures, class by class.
        pictures: The worst mistakes by source, uint8 (H, W, C); one that is missing is named without picture.
        maps: What they rest on: by source the map of the answer and that of the true class, (h, w).
        baseline: The `baseline` object of `foveal.train/1`; with its `start`, too, after a transfer.
    """
    return _page(
        document, history=history, gallery=gallery, pictures=pictures, maps=maps, baseline=baseline or {}
    )


def evaluation_page(
    document: words.Document,
    *,
    pictures: Mapping[str, UInt8],
    gallery: Sequence[ClassPictures] = (),
    maps: Maps = _NO_MAPS,
) -> str:
    """Return the report of an evaluation as one HTML page; arguments as in `training_page`."""
    return _page(document, history=(), gallery=gallery, pictures=pictures, maps=maps, baseline={})


def refusal_page(parity: Mapping[str, Any], limit: float, *, history: Sequence[Row]) -> str:
    """Return the page of a training whose export was refused: what failed, and how it had learned.

    Args:
        parity: The contract's `parity` object.
        limit: Largest difference that is allowed.
        history: Rows of `history.jsonl`.
    """
    page = templates().get_template("refusal.html.j2")
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
    page = templates().get_template("bench.html.j2")
    return page.render(
        name=_name(document["bundle"]),
        document=document,
        chart=speed(document),
        roof=roofline_figure(document),
        size=show_bytes(document["size_bytes"]),
        palette=PALETTE,
    )


def with_speed(page: str, document: words.Document) -> str:
    """Return the page of a training or an evaluation with what a bench measured, before its last section.

    Args:
        page: As `training_page` returned it; names in it are escaped, so the place is found once.
        document: `foveal.bench/1`.
    """
    template = templates().get_template("speed.html.j2")
    section = template.render(document=document, chart=speed(document), roof=roofline_figure(document))
    return _before_last(page, section)


def with_over_time(page: str, document: words.Document) -> str:
    """Return the page of a training with how the answers come about in time, before its last section.

    Args:
        page: As `training_page` returned it.
        document: The `over_time` object of `foveal.train/1`.
    """
    template = templates().get_template("over_time.html.j2")
    said, chart = over_time.sentences(document), over_time.over_time(document)
    return _before_last(page, template.render(over_time=document, chart=chart, said=said))


def with_unlabelled(page: str, unlabelled: Mapping[str, Any]) -> str:
    """Return the page of a training with which pictures it learned from without labels.

    Args:
        page: As `training_page` returned it.
        unlabelled: The object of that name in `foveal.train/1`.
    """
    return _before_last(page, templates().get_template("unlabelled.html.j2").render(unlabelled=unlabelled))


def _before_last(page: str, section: str) -> str:
    before, last, after = page.partition(_LAST_SECTION)
    return before + section + "\n" + last + after


def _page(
    document: words.Document,
    *,
    history: Sequence[Row],
    gallery: Sequence[ClassPictures],
    pictures: Mapping[str, UInt8],
    maps: Maps,
    baseline: Mapping[str, Any],
) -> str:
    page = templates().get_template("page.html.j2")
    return page.render(
        name=_name(document["bundle"]),
        document=document,
        metrics=document["metrics"],
        trained=bool(history),
        baseline=baseline,
        gallery=strips(gallery),
        gallery_classes=len(gallery),
        mistakes=[_mistake(one, pictures.get(one["source"]), maps) for one in document["worst_mistakes"]],
        explained=len(maps),
        charts=page_charts(document, history),
        confusion=confusion_table(document),
        origin=origin(document),
        palette=PALETTE,
    )


def _mistake(
    mistake: Mapping[str, Any], picture: UInt8 | None, maps: Maps
) -> tuple[Mapping[str, Any], Embedded | None, list[Embedded]]:
    """Return a mistake with its picture and with what it rests on, as far as they are there."""
    if picture is None:
        return mistake, None, []
    both = maps.get(mistake["source"], ())
    return mistake, embed(picture), [embed(overlay(picture, one)) for one in both]


def _name(bundle: str | None) -> str:
    return PurePath(bundle).stem if bundle else "Recognizer"


def _on_one_line(value: object) -> object:
    """Return what a template prints; names may hold control characters and halves of letters."""
    return visible(value) if type(value) is str else value


@cache
def templates() -> jinja2.Environment:
    """Return the environment that all pages are made with: names are escaped, nothing undefined passes."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("foveal.report"),
        autoescape=True,  # class and file names are the user's and may hold markup
        finalize=_on_one_line,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "speed_words": speed_words, "counted": counted}
    environment.filters |= {
        "percent": words.percent,
        "measured": words.measured,
        "bytes": show_bytes,
        "few": thinned,
        "inline": lambda drawing: Markup(inline(drawing)),
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    return environment
