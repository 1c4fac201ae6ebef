"""explain.explanation and sign_test: of unrelated maps hardly any holds, and a true one does."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.explain.explanation import Asked, explain
from foveal.explain.faithfulness import RANDOM_MAPS, Faithfulness
from foveal.explain.sign_test import sign_test

SIDE = 16


class Looks:
    """Looks at a few places of the picture, each for or against the class, as a network would."""

    def __init__(self, seed: int) -> None:
        weights = np.random.default_rng(seed).normal(size=(4, 4)).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
        self.weights = weights / 40

    def run(self, images):
        logit = np.tensordot(images.mean(axis=3, dtype=float) - 128, self.weights, axes=2) / SIDE
        one = 1 / (1 + np.exp(-logit))
        return SimpleNamespace(probabilities=np.stack([one, 1 - one], 1).astype(np.float32))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def explained(seed: int, draw, **changes):
    asked = Asked(f"{seed}.png", picture(seed), **changes)
    return explain(Looks(seed), asked, draw, classes=("a", "b"), seed=seed)


@pytest.mark.parametrize("cells", [(16, 16), (5, 5), (3, 3)], ids=str)
def test_of_random_maps_as_many_hold_as_was_said(cells):
    rng, pictures = np.random.default_rng(7), 300

    held = sum(
        explained(seed, lambda image, index: rng.random(cells, np.float32))[0].holds
        for seed in range(pictures)
    )

    assert held <= stats.binom.ppf(0.999, pictures, 1 / (RANDOM_MAPS + 1))


def test_a_map_of_what_is_looked_at_holds_and_its_opposite_does_not():
    def true_map(seed):
        def draw(image, index):
            speaks = Looks(seed).weights * (image.mean(axis=2) - 128)
            return (speaks * (1 - 2 * index)).astype(np.float32)

        return draw

    def opposite(draw):
        return lambda image, index: -draw(image, index)

    true = [explained(seed, true_map(seed))[0] for seed in range(20)]
    false = [
        explained(seed, lambda image, index, seed=seed: -true_map(seed)(image, index))[0]
        for seed in range(20)
    ]

    assert all(one.holds and one.beaten == RANDOM_MAPS for one in true)
    assert not any(one.beaten for one in false)
    assert sign_test("true", true).verdict == "pass"
    assert sign_test("false", false).verdict == "undetermined"


def test_where_nothing_is_looked_at_no_map_holds(constant, noise):
    [found] = explain(
        constant,
        Asked("x", noise()),
        lambda i, k: np.random.default_rng(0).random((4, 4)),
        classes=("a", "b"),
    )

    assert (found.beaten, found.holds) == (0, False)
    assert sign_test("any", [found]).p_value == 1


def test_a_mistake_is_explained_from_both_sides_unless_a_class_is_asked_for():
    label = explained(0, lambda i, k: np.eye(4, dtype=np.float32))[0].label
    truth = "b" if label == "a" else "a"

    both = explained(0, lambda i, k: np.eye(4, dtype=np.float32), truth=truth)
    one = explain(
        Looks(0),
        Asked("x", picture(0), truth),
        lambda i, k: np.eye(4, dtype=np.float32),
        classes=("a", "b"),
        about=truth,
    )

    assert [e.about for e in both] == [label, truth]
    assert both[0].confidence + both[1].confidence == pytest.approx(1)
    assert [e.about for e in one] == [truth]
    assert len(explained(0, lambda i, k: np.eye(4, dtype=np.float32), truth=label)) == 1


@pytest.mark.parametrize(("better", "n"), [(0, 1), (1, 1), (9, 12), (10, 12), (5, 5), (12, 12)])
def test_the_sign_test_is_that_of_scipy_and_counts_each_picture_once(better, n):
    [one] = explained(0, lambda i, k: np.eye(4, dtype=np.float32))
    up, down, level = (Faithfulness((1 - g,) * 11, (g,) * 11) for g in (0.9, 0.1, 0.5))
    one = replace(one, chance=(level,) * 19)  # equal is no better
    firsts = [replace(one, source=str(k), faith=up if k < better else (down, level)[k % 2]) for k in range(n)]
    seconds = [replace(e, about="b", faith=up) for e in firsts]

    found = sign_test("any", [e for pair in zip(firsts, seconds, strict=True) for e in pair])

    expected = stats.binomtest(better, n, 0.5, alternative="greater")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.better.value, found.better.n) == (better / n, n)
    assert found.verdict == ("pass" if expected.pvalue <= 0.05 else "undetermined")


def test_no_map_has_no_verdict():
    with pytest.raises(UsageError, match="at least one map"):
        sign_test("any", [])
