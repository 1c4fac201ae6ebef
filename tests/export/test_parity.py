"""export.parity: what passes, what fails, and that a broken export is caught."""

import numpy as np
import pytest

from foveal.export.parity import Parity, compare, worst
from foveal.metrics.clopper_pearson import clopper_pearson

REFERENCE = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.50004, 0.49996, 0.0]], np.float32)


def test_equal_outputs_pass():
    parity = compare(REFERENCE, REFERENCE.copy())

    assert parity.gate().verdict == "pass"
    assert parity.as_json()["max_abs_difference"] == 0
    assert parity.as_json()["decision_flips"]["n"] == 3


def test_rounding_passes_and_its_flip_is_counted():
    exported = REFERENCE.copy()
    exported[2, :2] = exported[2, 1::-1]

    parity = compare(REFERENCE, exported)

    assert parity.gate().verdict == "pass"
    assert (parity.clear_flips, round(parity.decision_flips.value * 3)) == (0, 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda p: p[:, ::-1], id="label map reversed"),
        pytest.param(lambda p: p + np.float32([0.002, -0.001, -0.001]), id="two thousandths off"),
        pytest.param(lambda p: np.full_like(p, 1 / 3), id="flat"),
    ],
)
def test_what_is_more_than_rounding_fails(change):
    assert compare(REFERENCE, change(REFERENCE)).gate().verdict == "fail"


def test_a_clear_flip_fails():
    exported = REFERENCE.copy()
    exported[1] = [0.35, 0.4, 0.25]

    parity = compare(REFERENCE, exported)

    assert parity.clear_flips == 1
    assert parity.gate().verdict == "fail"


@pytest.mark.parametrize(("flips", "verdict"), [(0, "pass"), (5, "pass"), (6, "fail"), (1000, "fail")])
def test_a_rounded_file_may_change_one_answer_in_two_hundred(flips, verdict):
    reference = np.tile(np.float32([0.7, 0.3]), (1000, 1))
    exported = reference.copy()
    exported[:flips] = [0.3, 0.7]

    parity = compare(reference, exported)
    gate = parity.rounded_gate()

    assert (gate.id, gate.verdict, gate.value, gate.limit) == ("flips", verdict, flips / 1000, 0.005)
    assert parity.decision_flips.low <= gate.value <= parity.decision_flips.high
    assert parity.gate().verdict == ("pass" if flips == 0 else "fail")


def test_rounding_may_move_probabilities_as_long_as_the_answers_stay():
    moved = compare(REFERENCE, np.float32([[0.5, 0.3, 0.2], [0.38, 0.36, 0.26], [0.6, 0.4, 0.0]]))

    assert (moved.rounded_gate().verdict, moved.gate().verdict) == ("pass", "fail")


def test_of_objects_and_pixels_the_one_that_fails_is_told():
    share = clopper_pearson(2, 5000)
    borne = Parity(1e-6, share, clear_flips=2, images=9, unit="objects", borne=5)
    failing = Parity(1e-6, share, clear_flips=1, images=9, unit="pixels")
    sound = Parity(2e-6, share, clear_flips=0, images=9, unit="pixels")

    for pair in ((borne, failing), (failing, borne)):
        assert worst(*pair) is failing
    assert worst(sound, borne) is sound
    assert worst(borne, Parity(1e-3, share, clear_flips=0, images=9, unit="pixels")).gate().verdict == "fail"
