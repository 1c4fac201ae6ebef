"""Tables of a certificate: any list of rows that a measurement gives, and the map of corruptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveal.core import catalog
from foveal.perturb import corruptions

Row = Mapping[str, Any]
_SHARES = ("clopper-pearson", "counted", "mover-clopper-pearson", "hoeffding-bentkus")


@dataclass(frozen=True)
class Field:
    """One cell of a table.

    Attributes:
        text: For people.
        share: A share with its interval, to be drawn; None where there is none.
        good: Whether it is what one wishes for; None where that is not known.
        is_number: Whether it stands to the right.
    """

    text: str
    share: Row | None = None
    good: bool | None = None
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """A table for the page.

    Attributes:
        title: What of.
        columns: Heads.
        rows: Cells in their order.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Field, ...], ...]


@dataclass(frozen=True)
class Heat:
    """Accuracy by corruption and severity.

    Attributes:
        severities: Of the columns.
        groups: By title of a group its rows: name, and for each severity the accuracy with interval, or None.
        clean: Accuracy on the same pictures, unharmed.
        of: What is measured, for people.
    """

    severities: tuple[int, ...]
    groups: tuple[tuple[str, tuple[tuple[str, tuple[Row | None, ...]], ...]], ...]
    clean: float
    of: str = "accuracy"

    def lost(self, accuracy: Row) -> float:
        """Return which share of the accuracy on unharmed pictures is gone, 0 to 1."""
        return min(1.0, max(0.0, 1 - accuracy["value"] / self.clean)) if self.clean > 0 else 0.0


def is_measured(value: Any) -> bool:
    """Return whether a value is a number with interval and n."""
    return isinstance(value, Mapping) and {"value", "low", "high", "n", "method"} <= set(value)


def table(title: str, rows: Sequence[Row]) -> Table:
    """Return rows of a document as a table, measured shares with their interval; of classes the worst first.

    Args:
        title: What the rows are of.
        rows: Objects with the same keys; values are text, numbers, measured numbers, true, false or null. A
            value of another kind is told as it stands in the document.
    """
    keys = tuple(dict.fromkeys(key for row in rows for key in row))
    if "class" in keys:  # of many classes the first are shown
        rows = sorted(rows, key=_badness)
    fields = tuple(tuple(_field(key, row.get(key)) for key in keys) for row in rows)
    return Table(title.replace("_", " "), tuple(key.replace("_", " ") for key in keys), fields)


def tables(named: Mapping[str, Any], *, but: Sequence[str] = ()) -> list[Table]:
    """Return every list of rows in an object as a table, also one that has something beside its rows.

    Args:
        named: Details of a gate, or figures of a section.
        but: Names of those that are shown in another way.
    """
    shown = {name: value for name, value in named.items() if name not in but}
    rows = {name: v["rows"] if isinstance(v, Mapping) and "rows" in v else v for name, v in shown.items()}
    return [table(name, each) for name, each in rows.items() if _is_rows(each)]


def heat(figure: Mapping[str, Any]) -> Heat:
    """Return the map of corruptions, in each group the most harmful first.

    Args:
        figure: `clean` and `rows` with corruption, severity and accuracy; `of` where that is another number.
    """
    cells = {(row["corruption"], row["severity"]): row["accuracy"] for row in figure["rows"]}
    severities = tuple(sorted({severity for _, severity in cells}))
    names = dict.fromkeys(name for name, _ in cells)

    def mean(name: str) -> float:
        values = [cells[name, s]["value"] for s in severities if (name, s) in cells]
        return float(sum(values)) / len(values)

    groups: dict[str, list[str]] = {"common corruptions": [], "faults of sensors and files": []}
    for name in sorted(names, key=mean):
        common = name in corruptions.IMAGENET_C
        groups["common corruptions" if common else "faults of sensors and files"].append(name)
    return Heat(
        severities,
        tuple(
            (title, tuple((catalog.spoken(n), tuple(cells.get((n, s)) for s in severities)) for n in members))
            for title, members in groups.items()
            if members
        ),
        figure["clean"],
        figure.get("of", "accuracy"),
    )


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(row, Mapping) for row in value)


def _badness(row: Row) -> float:
    """Return the first measured share of a row: the lower, the earlier it should be read."""
    return next((float(value["value"]) for value in row.values() if is_measured(value)), 0.0)


def _field(key: str, value: Any) -> Field:
    if value is None:
        return Field("–")
    if isinstance(value, bool):
        good = not value if key == "red" else None
        return Field({True: "yes", False: "no"}[value], good=good, is_number=False)
    if is_measured(value):
        return _measured(value)
    if isinstance(value, float):
        return Field(f"{value:.3g}")
    if isinstance(value, int):
        return Field(f"{value:,}")
    return Field(str(value), is_number=False)


def _measured(value: Row) -> Field:
    if value["method"] in _SHARES:
        text = f"{value['value']:.1%} ({value['low']:.1%} to {value['high']:.1%}, n={value['n']:,})"
        return Field(text, share=value)
    return Field(f"{value['value']:.3g} ({value['low']:.3g} to {value['high']:.3g}, n={value['n']:,})")
