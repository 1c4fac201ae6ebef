"""Success of an attack: of those that were right, and not yet what was wanted."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.attack_success import attack_success

TRUTH = np.array([0, 0, 1, 1, 2, 2])
BEFORE = np.array([0, 1, 1, 1, 2, 2])  # the second is wrong to begin with
AFTER = np.array([2, 2, 1, 0, 2, 0])


def test_counts_only_what_was_named_correctly_before() -> None:
    found = attack_success(BEFORE, AFTER, TRUTH)

    assert (found.value, found.n, found.method) == (3 / 5, 5, "clopper-pearson")


def test_a_picture_of_the_target_class_cannot_be_won() -> None:
    assert attack_success(BEFORE, AFTER, TRUTH, target=2).value == pytest.approx(1 / 3)
    assert attack_success(BEFORE, AFTER, TRUTH, target=2).n == 3
    assert attack_success(BEFORE, TRUTH, TRUTH, target=2).value == 0


def test_nothing_that_counts_is_no_rate() -> None:
    with pytest.raises(UsageError, match="nothing can be taken away"):
        attack_success(TRUTH + 1, TRUTH, TRUTH)
    with pytest.raises(UsageError, match="need three times"):
        attack_success(TRUTH[:2], TRUTH, TRUTH)
