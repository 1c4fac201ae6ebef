"""Lines and areas in the picture at which objects are counted, and what was counted there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foveal.core.errors import UsageError
from foveal.core.text import printable, visible
from foveal.stream.tracking.count import Anchor, Count, Point
from foveal.stream.tracking.lines import Crossings
from foveal.stream.tracking.zones import Occupancy

_LINE, _ZONE = 2, 3  # points that one has, or at least has


@dataclass(frozen=True)
class Place:
    """A line or an area.

    Attributes:
        name: What results call it.
        points: In pixels of the frames, x before y: two of a line, three or more of an area.
    """

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Places:
    """Where objects are counted.

    Attributes:
        lines: What they cross.
        zones: What they are in.
        anchor: Which point of a box is looked at: its middle, or the middle of its lower side.
    """

    lines: tuple[Place, ...] = ()
    zones: tuple[Place, ...] = ()
    anchor: Anchor = "bottom"

    @classmethod
    def read(cls, lines: Sequence[str], zones: Sequence[str], *, anchor: str) -> "Places":
        """Return the places that texts such as `gate=320,480,320,0` describe; without a name, a number.

        Raises:
            UsageError: A text is no place, two have one name, or there is no such anchor.
        """
        if anchor not in ("middle", "bottom"):
            raise UsageError(f"--anchor is middle or bottom; got {printable(anchor)}")
        read = tuple(_place(text, "line", number) for number, text in enumerate(lines, start=1))
        areas = tuple(_place(text, "zone", number) for number, text in enumerate(zones, start=1))
        for some in (read, areas):
            names = [place.name for place in some]
            if len(set(names)) < len(names):
                raise UsageError(f"names differ; got {', '.join(map(visible, names))}")
        return cls(read, areas, "bottom" if anchor == "bottom" else "middle")

    def __bool__(self) -> bool:
        return bool(self.lines or self.zones)

    def check(self, width: int, height: int) -> None:
        """Refuse what no object of a frame of this size can reach.

        Raises:
            UsageError: `outside`: a place lies wholly beside the picture.
        """
        for place in (*self.lines, *self.zones):
            xs, ys = zip(*place.points, strict=True)
            if max(xs) < 0 or min(xs) > width or max(ys) < 0 or min(ys) > height:
                raise UsageError(
                    f"{visible(place.name)} lies beside the picture, which has {width} × {height} pixels",
                    code="outside",
                    hint="coordinates are pixels of the frames, x before y, from the upper left",
                )


def _place(text: str, kind: str, number: int) -> Place:
    name, equals, numbers = text.rpartition("=")
    try:
        values = [float(part) for part in numbers.split(",")]
    except ValueError:
        values = []
    even = len(values) // 2 * 2
    points = tuple(zip(values[:even:2], values[1:even:2], strict=True))
    enough = len(points) == _LINE if kind == "line" else len(points) >= _ZONE
    good = enough and even == len(values) and len(set(points)) == len(points)
    if not good or not all(abs(value) < 1e6 for value in values) or (equals and not name):
        example = "gate=320,480,320,0" if kind == "line" else "dock=100,100,400,100,400,300,100,300"
        wanted = "two points" if kind == "line" else "three points or more"
        raise UsageError(
            f"--{kind} takes {wanted} as x,y,x,y in pixels; got {printable(text)}",
            hint=f"--{kind} {example}",
        )
    return Place(name or f"{kind} {number}", points)


@dataclass(frozen=True)
class Counted:
    """What was counted up to a frame.

    Attributes:
        places: Where.
        crossings: Of each line.
        occupancies: Of each area.
        followed: Objects of each class that were followed long enough to be relied on, each once.
        classes: Names in label order.
    """

    places: Places
    crossings: tuple[Crossings, ...]
    occupancies: tuple[Occupancy, ...]
    followed: Mapping[str, int]
    classes: Sequence[str] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the keys `lines` and `zones` of a line of a stream; each only where there are some."""
        told: dict[str, Any] = {}
        if self.crossings:
            told["lines"] = {
                line.name: {"to_right": self._told(one.to_right), "to_left": self._told(one.to_left)}
                for line, one in zip(self.places.lines, self.crossings, strict=True)
            }
        if self.occupancies:
            told["zones"] = {
                zone.name: {"now": self._told(one.now), "entered": self._told(one.entered)}
                for zone, one in zip(self.places.zones, self.occupancies, strict=True)
            }
        return told

    def _told(self, count: Count) -> dict[str, Any]:
        by_label = {self.classes[label]: number for label, number in count.by_label.items()}
        return {"value": count.value, "low": count.low, "high": count.high, "by_label": by_label}

    def words(self) -> list[str]:
        """Return the same for people, a line for each place."""
        crossed = [
            f"{visible(line.name)}: {_said(one.to_right)} to the right, {_said(one.to_left)} to the left"
            for line, one in zip(self.places.lines, self.crossings, strict=True)
        ]
        been = [
            f"{visible(zone.name)}: {_said(one.now)} inside, {_said(one.entered)} in all"
            for zone, one in zip(self.places.zones, self.occupancies, strict=True)
        ]
        return crossed + been


def _said(count: Count) -> str:
    doubt = "" if count.low == count.high else f" ({count.low} to {count.high})"
    return f"{count.value}{doubt}"
