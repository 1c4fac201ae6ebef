"""One self-contained page of pictures that are like each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from foveal.core.text import visible
from foveal.data import decode
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed


@dataclass(frozen=True)
class Found:
    """A picture as the page takes it.

    Attributes:
        source: What it is called.
        picture: To be looked at.
        score: How like the query it is, in [-1, 1]; None: it is no result.
    """

    source: str
    picture: Embedded = field(repr=False)
    score: float | None = None

    @classmethod
    def of(cls, source: str, content: bytes, score: float | None = None) -> "Found":
        """Return a picture file as the page takes it."""
        return cls(visible(source), embed(decode.decode(content, 3)), score)


@dataclass(frozen=True)
class Group:
    """Pictures under a title."""

    title: str
    pictures: Sequence[Found]


def search_page(name: str, summary: str, groups: Sequence[Group]) -> str:
    """Return groups of pictures as one HTML page that loads nothing from outside.

    Args:
        name: Title of the page.
        summary: A sentence or two below it.
        groups: In order; none: the page says so.
    """
    page = templates().get_template("search.html.j2")
    return page.render(name=visible(name), summary=visible(summary), groups=groups, palette=PALETTE)
