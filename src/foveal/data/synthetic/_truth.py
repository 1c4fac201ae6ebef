"""What is known of a film: which objects are where on each frame, and which crossed the line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from foveal.data.synthetic._drawing import Drawing

Points = tuple[float, float, float, float]


class Known(NamedTuple):
    """An object on a frame.

    Attributes:
        track: Its number; the same on all frames, and no other object's.
        label: Name of its class.
        box: Left, top, right and bottom of what is seen of it, in pixels.
        attributes: What else is known of it.
    """

    track: int
    label: str
    box: tuple[float, float, float, float]
    attributes: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the same in words; attributes only where there are some."""
        said = {"attributes": dict(self.attributes)} if self.attributes else {}
        return {"track": self.track, "label": self.label, "box": list(self.box), **said}


def known(drawing: Drawing, classes: Sequence[str]) -> list[Known]:
    """Return the objects that are seen on a frame.

    Args:
        drawing: Of the frame.
        classes: Names in label order.
    """
    objects = drawing.objects()
    said = objects.attributes or ({},) * len(objects)
    rows = zip(drawing.tracks(), objects.labels.tolist(), objects.boxes.tolist(), said, strict=True)
    return [
        Known(track, classes[label], (box[0], box[1], box[2], box[3]), attributes)
        for track, label, box, attributes in rows
    ]


def crossings(frames: Iterable[Sequence[Known]], line: Points) -> list[dict[str, Any]]:
    """Return what crossed a line, in order: rows `frame track label to`.

    An object has crossed where the middle of its box was on one side first and is on the other side last;
    what goes there and back has not. `to` is `right` or `left`, as one looks from the first point of the line
    to the second.

    Args:
        frames: The objects on each frame.
        line: Two points in pixels, x before y. It goes on beyond both.
    """
    x, y, x2, y2 = line
    right = np.array([y - y2, x2 - x])
    first: dict[int, bool] = {}
    last: dict[int, tuple[bool, int, str]] = {}  # side, since which frame, and class
    for number, objects in enumerate(frames):
        for one in objects:
            left, top, end, bottom = one.box
            beyond = bool(np.array([(left + end) / 2 - x, (top + bottom) / 2 - y]) @ right > 0)
            first.setdefault(one.track, beyond)
            before = last.get(one.track)
            since = number if before is None or before[0] != beyond else before[1]
            last[one.track] = beyond, since, one.label
    return sorted(
        (
            {"frame": since, "track": track, "label": label, "to": "right" if beyond else "left"}
            for track, (beyond, since, label) in last.items()
            if beyond != first[track]
        ),
        key=lambda row: (row["frame"], row["track"]),
    )


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return how many crossed to each side, in the words of a line of `foveal stream`."""
    told = {}
    for side in ("right", "left"):
        by_label = Counter(row["label"] for row in rows if row["to"] == side)
        told[f"to_{side}"] = {"value": by_label.total(), "by_label": dict(sorted(by_label.items()))}
    return told
