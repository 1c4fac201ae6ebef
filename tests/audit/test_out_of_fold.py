"""audit.out_of_fold: no picture's own label has a part in its answer."""

import numpy as np
import pytest

from foveal.audit.folds import folds
from foveal.audit.out_of_fold import Answers, out_of_fold
from foveal.core.progress import Progress, silent
from foveal.train.examples import Examples


def colored(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (M, 16, 16, 3) of three classes, each with a brighter channel, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 160, (count, 16, 16, 3))
    images[np.arange(count), :, :, labels] += 60
    return images.astype(np.uint8), labels


def answered(examples: Examples, parts: np.ndarray, *, seed: int = 0, progress: Progress = silent) -> Answers:
    return out_of_fold(examples, parts, classes=3, seed=seed, threads=1, progress=progress)


def dealt(labels: np.ndarray) -> np.ndarray:
    return folds(labels, np.arange(len(labels)), classes=3, seed=0).of_each


@pytest.fixture(scope="module")
def asked():
    images, labels = colored(240)
    wrong = labels.copy()
    wrong[:12] = (wrong[:12] + 1) % 3
    indices = np.arange(10, 240)
    examples = Examples(images, wrong, indices)
    told = []
    answers = answered(
        examples,
        dealt(wrong[indices]),
        progress=lambda stage, done, total, note="": told.append((done, total)),
    )
    return answers, labels[indices], told


def test_answers_are_right_where_the_given_label_is_wrong(asked) -> None:
    answers, truth, _ = asked

    assert answers.probabilities.shape == (230, 3)
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (answers.probabilities.argmax(axis=1) == truth).mean() > 0.9
    assert (answers.probabilities.argmax(axis=1) == truth)[:2].all(), "their labels were flipped"


def test_the_embedding_has_length_1_and_keeps_classes_together(asked) -> None:
    answers, truth, _ = asked

    likeness = answers.embedding @ answers.embedding.T
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-4)
    same = truth[:, None] == truth
    assert likeness[same].mean() > likeness[~same].mean() + 0.1


def test_progress_runs_to_the_end_once(asked) -> None:
    told = asked[2]

    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_same_seed_gives_the_same_answers() -> None:
    images, labels = colored(60)
    examples = Examples(images, labels, np.arange(60))

    one, other = (answered(examples, dealt(labels), seed=3).probabilities.argmax(1) for _ in range(2))

    assert np.array_equal(one, other)


def test_a_network_has_not_learned_from_the_part_it_is_asked_about() -> None:
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 256, (15, 16, 16, 3), dtype=np.uint8), 20, axis=0)
    labels = np.repeat(np.arange(15) % 3, 20)  # nothing but having seen them tells these classes apart
    examples = Examples(images, labels, np.arange(300))
    parts, torn = np.repeat(np.arange(15) // 3 % 3, 20), np.arange(300) % 3

    whole, leaked = (
        (answered(examples, how).probabilities.argmax(1) == labels).mean() for how in (parts, torn)
    )

    assert whole < 0.6
    assert leaked > 0.95
