"""optimize.foresight: known times are found again, what lies between is foreseen, and time is kept."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle.ways import Way
from foveal.optimize import foresight
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.foresight import Line, Yardstick, foresee

YARDSTICKS = {
    "fp32": Yardstick(b"whole", Way("onnxruntime", "fp32", 1), 2e-3),
    "int8": Yardstick(b"whole8", Way("onnxruntime", "fp32", 1), 5e-4),
}


def candidate(name: str, macs: int, kind: str = "nano") -> Candidate:
    return Candidate(name, (name,), lambda: None, macs, macs, rate_share=1.0, kind=kind, inherits=False)


@pytest.fixture
def start(nano):
    return Start(nano, np.zeros((2, 16, 16, 3), np.uint8), 1000)


@pytest.fixture
def measured(monkeypatch) -> list[str]:
    """Take a tenth of a second plus a share as the time; note what was measured."""
    asked = []

    def shares(_start, one, yardsticks):
        asked.append(one.name)
        return dict.fromkeys(yardsticks, 0.2 + 0.8 * one.macs / 1000)

    monkeypatch.setattr(foresight, "_shares", shares)
    return asked


def test_a_line_goes_through_its_points_and_never_down() -> None:
    line = Line((100, 0.3), (1000, 1.0))

    assert line.share(100) == pytest.approx(0.3)
    assert line.share(1000) == 1.0
    assert line.share(550) == pytest.approx(0.65)
    assert Line((100, 1.2), (1000, 1.0)).share(500) == 1.0, "noise makes no network slower by doing less"
    assert Line((100, 0.4), (100, 0.4)).share(300) == 0.4


def test_times_on_a_line_are_foreseen_from_the_original_and_the_smallest(start, measured) -> None:
    found = [candidate("large", 700), candidate("middle", 400), candidate("small", 100)]

    made = foresee(start, found, YARDSTICKS, seconds=9)

    assert measured == ["small"]
    for one in made:
        share = 0.2 + 0.8 * one.macs / 1000
        assert one.predicted == pytest.approx({"fp32": share * 2e-3, "int8": share * 5e-4})


def test_another_kind_is_foreseen_from_its_own_largest_and_smallest(start, measured) -> None:
    found = [candidate(f"b{macs}", macs, kind="other") for macs in (900, 500, 100)]

    made = foresee(start, found, YARDSTICKS, seconds=9)

    assert sorted(measured) == ["b100", "b900"]
    assert made[1].predicted["fp32"] == pytest.approx(0.6 * 2e-3)


def test_without_time_nothing_is_measured_and_nothing_is_foreseen(start, measured) -> None:
    made = foresee(start, [candidate("small", 100)], YARDSTICKS, seconds=0)

    assert measured == []
    assert made[0].predicted == {}


def test_a_network_against_itself_takes_as_long(nano, start) -> None:
    """The whole chain: export, rounding, engine, turns. The bound only excludes a wrong unit or a swap."""
    from foveal.export.graph import graph

    yardstick = Yardstick(graph(nano), Way("onnxruntime", "fp32", 1), 1e-3)
    same = replace(candidate("same", 1000), make=lambda: nano)

    share = foresight._shares(start, same, {"fp32": yardstick})["fp32"]

    assert 0.2 < share < 5
