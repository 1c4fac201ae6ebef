"""audit.label_suspects: the same counts and suspects as cleanlab, and planted flips are found."""

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

from foveal.audit.label_suspects import _confident_guesses, label_suspects
from foveal.core.errors import UsageError


def answers(
    *, images: int = 800, classes: int = 5, skill: float = 2.5, flipped: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities, labels and which labels were flipped."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes))
    scores[np.arange(images), truth] += skill * rng.uniform(0.3, 1.5, images)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wrong = rng.random(images) < flipped
    labels = np.where(wrong, (truth + rng.integers(1, classes, images)) % classes, truth)
    return probabilities, labels, wrong


def joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how many pictures of each given class are confidently of each class, int64 (K, K)."""
    guesses, confident = _confident_guesses(probabilities, labels)
    counts = np.zeros((probabilities.shape[1],) * 2, dtype=np.int64)
    np.add.at(counts, (labels[confident], guesses[confident]), 1)
    return counts


CASES = [
    {"seed": seed, "classes": classes, "skill": skill}
    for seed, (classes, skill) in enumerate([(2, 2.0), (3, 0.5), (5, 2.5), (10, 4.0), (40, 3.0)])
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_suspects_are_those_of_cleanlab(case: dict) -> None:
    probabilities, labels, _ = answers(**case)

    expected = find_label_issues(
        labels,
        probabilities,
        filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )

    assert label_suspects(probabilities, labels).rows.tolist() == expected.tolist()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_confident_joint_is_that_of_cleanlab(case: dict) -> None:
    probabilities, labels, _ = answers(**case)

    ours = joint(probabilities, labels)

    theirs = compute_confident_joint(labels, probabilities, calibrate=False)
    np.fill_diagonal(ours, ours.diagonal().clip(min=1))  # cleanlab counts at least one right picture a class
    assert ours.tolist() == theirs.tolist()


def test_planted_flips_are_found_first() -> None:
    probabilities, labels, wrong = answers(skill=6, images=3000, flipped=0.03)

    suspects = label_suspects(probabilities, labels)

    assert wrong[suspects.rows].sum() >= 0.75 * wrong.sum()
    assert wrong[suspects.rows[:40]].mean() >= 0.95


def test_a_suggestion_is_the_most_probable_other_class() -> None:
    probabilities, labels, _ = answers()

    suspects = label_suspects(probabilities, labels)

    assert len(suspects) > 10
    for row, suggested, confidence in zip(
        suspects.rows, suspects.suggested, suspects.confidence, strict=True
    ):
        others = {k: p for k, p in enumerate(probabilities[row]) if k != labels[row]}
        assert suggested == max(others, key=others.__getitem__)
        assert confidence == pytest.approx(others[suggested])


def test_perfect_answers_doubt_nothing() -> None:
    labels = np.arange(60) % 3

    suspects = label_suspects(np.eye(3)[labels], labels)

    assert (len(suspects), suspects.suggested.shape, suspects.confidence.shape) == (0, (0,), (0,))


def test_a_class_without_pictures_is_never_confident() -> None:
    probabilities, labels, _ = answers(classes=4)
    labels = np.where(labels == 3, 0, labels)

    assert joint(probabilities, labels)[3].sum() == 0
    assert joint(np.eye(4)[labels], labels).sum() == len(labels)


@pytest.mark.parametrize(
    ("probabilities", "labels", "says"),
    [
        (np.ones((0, 3)), np.array([], dtype=int), "N ≥ 1"),
        (np.ones(3), np.array([0, 1, 2]), "need probabilities"),
        (np.full((2, 2), np.nan), np.array([0, 1]), "finite"),
        (np.full((2, 2), 0.5), np.array([0, 2]), r"in 0\.\.1"),
        (np.full((2, 2), 0.5), np.array([0.0, 1.0]), "integers"),
    ],
)
def test_nonsense_is_refused(probabilities: np.ndarray, labels: np.ndarray, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        label_suspects(probabilities, labels)
