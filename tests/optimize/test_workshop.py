"""optimize.workshop: what a file answered is written down, and read again as it was."""

import json

import numpy as np
import pytest

from foveal.metrics._resampled import Resampled
from foveal.optimize import workshop


def test_resamples_without_an_object_come_back_as_no_number() -> None:
    rare = np.array([0.5, 0.7, *[np.nan] * 8])

    def mean_there(times):
        known = times[:, :2]
        with np.errstate(invalid="ignore"):
            return (known @ rare[:2]) / known.sum(axis=1)

    found = Resampled.of(10, mean_there, draws=200, seed=0)
    assert np.isnan(found.table).any()

    again = workshop._answers(json.loads(json.dumps(workshop._listed(found.table), allow_nan=False)))

    np.testing.assert_array_equal(again, found.table)
    assert again.dtype == np.float64


@pytest.mark.parametrize("answers", [np.array([3, 0, 2]), np.array([0.25, 1.0])])
def test_other_answers_come_back_with_their_type(answers) -> None:
    again = workshop._answers(json.loads(json.dumps(workshop._listed(answers))))

    np.testing.assert_array_equal(again, answers)
    assert again.dtype == answers.dtype
