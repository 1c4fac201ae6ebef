"""A drawing together with the numbers that it shows."""

import csv
import io
from dataclasses import dataclass, field
from typing import Any

from foveal.core.text import visible

_LONGEST_NAME = 28  # letters of a class name beside an axis


@dataclass(frozen=True)
class Chart:
    """One drawing with the numbers that it shows.

    Attributes:
        name: File name without suffix.
        title: What is drawn.
        says: What can be seen, for readers who cannot see it.
        columns: Heads of the table.
        rows: The table; shares are fractions, None where nothing could be measured.
        svg: A standalone SVG document.
    """

    name: str
    title: str
    says: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    svg: str = field(repr=False)

    @property
    def csv(self) -> str:
        """The table as CSV text."""
        text = io.StringIO()
        rows = ([visible(v) if isinstance(v, str) else v for v in row] for row in (self.columns, *self.rows))
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue()


def short(name: str) -> str:
    """Return a class name that leaves room for the drawing."""
    name = visible(name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
