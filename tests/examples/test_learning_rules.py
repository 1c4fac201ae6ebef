"""examples/learning_rules.py: its derivatives against finite differences and torch, and that they learn."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "examples" / "learning_rules.py"
    spec = importlib.util.spec_from_file_location("learning_rules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some(rules: ModuleType, images: int = 7, channels: int = 2, classes: int = 4):
    rng = np.random.default_rng(0)
    weights = {
        name: value + 0.1 * rng.normal(size=value.shape)
        for name, value in rules.initial(channels, classes, rng).items()
    }
    return weights, rng.normal(size=(images, channels, 8, 8)), rng.integers(0, classes, images)


def test_every_derivative_is_that_of_torch(rules: ModuleType) -> None:
    weights, x, labels = some(rules)

    ours, theirs = rules.gradients(weights, x, labels), rules.by_torch(weights, x, labels)

    assert ours.keys() == theirs.keys() == weights.keys()
    for name, gradient in ours.items():
        np.testing.assert_allclose(gradient, theirs[name], atol=1e-12)
        assert np.abs(gradient).max() > 1e-3


@pytest.mark.parametrize("name", ["filters", "shift", "matrix", "bias"])
def test_derivatives_are_those_of_finite_differences(rules: ModuleType, name: str) -> None:
    weights, x, labels = some(rules)
    gradient, rng = rules.gradients(weights, x, labels)[name], np.random.default_rng(1)

    for _ in range(10):
        index = tuple(int(rng.integers(length)) for length in gradient.shape)
        found = rules.by_differences(weights, x, labels, name, index)
        np.testing.assert_allclose(gradient[index], found, atol=1e-8, rtol=1e-5)


def test_softmax_and_cross_entropy_keep_their_laws(rules: ModuleType) -> None:
    logits, labels = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])

    shares = rules.softmax(logits)

    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(rules.softmax(logits + 700), shares, err_msg="a constant changes nothing")
    np.testing.assert_allclose(rules.cross_entropy(logits, labels), -np.log(shares[range(5), labels]).mean())
    np.testing.assert_allclose(rules.cross_entropy(np.zeros((2, 7)), np.array([3, 6])), np.log(7))
    assert np.isfinite(rules.cross_entropy(np.array([[1e4, -1e4]]), np.array([1])))


def test_a_pass_shows_every_picture_once_in_a_new_order(rules: ModuleType) -> None:
    rng = np.random.default_rng(0)
    first, second = (list(rules.batches(10, 4, rng)) for _ in range(2))

    assert [len(rows) for rows in first] == [4, 4, 2]
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(10))
    assert list(np.concatenate(first)) != list(np.concatenate(second))


def test_one_step_goes_down_the_gradient_of_its_batch(rules: ModuleType) -> None:
    weights, x, labels = some(rules)
    before = {name: value.copy() for name, value in weights.items()}

    rules.descend(weights, x, labels, epochs=1, batch_size=len(x), rate=0.01)

    for name, gradient in rules.gradients(before, x, labels).items():
        np.testing.assert_allclose(weights[name], before[name] - 0.01 * gradient)


def test_it_learns_the_digits_and_shuffled_labels_teach_nothing(rules: ModuleType) -> None:
    digits, rng = load_digits(), np.random.default_rng(0)
    x, labels = (digits.images / 16 - 0.3)[:, None] / 0.35, digits.target
    for taught, low, high in ((labels[:1200], 0.9, 1.0), (rng.permutation(labels[:1200]), 0.0, 0.25)):
        weights = rules.initial(1, 10, np.random.default_rng(0))
        losses = rules.descend(weights, x[:1200], taught, epochs=6)

        accuracy = (rules.forward(weights, x[1200:])[1].argmax(axis=1) == labels[1200:]).mean()
        assert low <= accuracy <= high
        assert losses[-1] < losses[0]
