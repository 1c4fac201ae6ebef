"""cli._sightings: what is where on a picture, in words and in tables."""

import csv
import io

import pytest

from foveal.cli._sightings import said, style
from foveal.core.types import Detection, Sighting

CAR = Detection("car", 0.75, (1.0, 2.0, 3.0, 4.0))
AREAS = {"road": 0.5, "sky": 0.125, "tree": 0.0}


def seen(*, objects: bool, areas: bool) -> Sighting:
    found = (CAR, CAR) if objects else ()
    return Sighting("a.png", 8, 6, found, AREAS if areas else None, with_objects=objects)


@pytest.mark.parametrize(
    ("objects", "areas", "words"),
    [
        (True, False, "2 car"),
        (False, True, "road 50.0%, sky 12.5%"),
        (True, True, "2 car; road 50.0%, sky 12.5%"),
    ],
)
def test_counts_and_shares_are_said(objects: bool, areas: bool, words: str) -> None:
    assert said(seen(objects=objects, areas=areas)) == words
    assert said(Sighting("b.png", 8, 6)) == "nothing"


@pytest.mark.parametrize("task", ["detect", "segment", "panoptic"])
def test_a_table_has_what_the_task_tells(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    objects, areas = task != "segment", task != "detect"

    style(task, lines=False, table=True, kept=None)(seen(objects=objects, areas=areas))

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == ["car"] * 2 * objects + list(AREAS) * areas
    assert ("share" in rows[0], "confidence" in rows[0]) == (areas, objects)
    if objects:
        assert (rows[0]["confidence"], rows[0]["left"], rows[0]["bottom"]) == ("0.75", "1.0", "4.0")
    if areas:
        assert [float(row["share"]) for row in rows[-3:]] == list(AREAS.values())
