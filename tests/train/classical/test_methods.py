"""Baselines against scikit-learn on the same features, and how their settings are chosen."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.models._machines import similarity
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer, build
from foveal.train.classical import Sample
from foveal.train.classical._choose import choose
from foveal.train.classical._principal import principal
from foveal.train.examples import Examples
from foveal.train.fit_plan import FitPlan
from foveal.train.fitting import fit_baseline
from foveal.train.planes import cross_entropy, planes, squared_hinge

PREPROCESS = Preprocess(size=16, channels=1, mean=(0.3,), std=(0.35,))
OWN = {
    "svm_hog": {"coordinates": 40, "landmarks": 300},
    "svm_pixels": {"coordinates": 40, "landmarks": 300},
    "knn": {"coordinates": 32, "stored": 300},
    "logistic": {},
}


@pytest.fixture(scope="module")
def digits() -> Examples:
    """Handwritten digits, each of the 8×8 pixels drawn as 2×2: 300 to fit, the others unseen."""
    data = load_digits()
    small = np.round(data.images * (255 / 16)).astype(np.uint8)
    images = small.repeat(2, axis=1).repeat(2, axis=2)[..., None]
    return Examples(images, data.target.astype(np.int64), np.arange(300))


def plan(model: str, **changes) -> FitPlan:
    fields = {
        "model": model,
        "arguments": {"channels": 1, "classes": 10, "size": 16, **OWN[model]},
        "images": 300,
        "of": 300,
        "tuning_images": 200,
        "folds": 3,
        "seed": 0,
        "threads": 1,
        "seconds": 0.0,
    }
    return FitPlan(**{**fields, **changes})


def recognizer(model: str, digits: Examples) -> Recognizer:
    made = plan(model)
    empty = Recognizer(
        build(model, made.arguments), model, made.arguments, PREPROCESS, tuple(map(str, range(10)))
    )
    return empty.with_weights(fit_baseline(made, digits, PREPROCESS).weights)


def chosen(model: str, digits: Examples) -> dict[str, float]:
    (row,) = [row for row in fit_baseline(plan(model), digits, PREPROCESS).history if row["chosen"]]
    return row


def coordinates(fitted: Recognizer, images: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return fitted.network.get_submodule("projection")(
            learn.normalize(torch.from_numpy(images), PREPROCESS)
        )


def decisions(fitted: Recognizer, digits: Examples) -> np.ndarray:
    """Return what the exported graph decides on images that were not fitted to."""
    _, logits = onnxruntime(graph(fitted), threads=1).run(digits.images[300:])
    return logits.argmax(1)


def right(answers: np.ndarray, digits: Examples) -> float:
    return float((answers == digits.labels[300:]).mean())


def test_the_exported_logistic_regression_decides_as_that_of_scikit_learn(digits):
    pixels = digits.images.reshape(len(digits.images), -1).astype(np.float64)
    mean, scale = pixels[:300].mean(axis=0), pixels[:300].std(axis=0)
    standard = (pixels - mean) / np.where(scale < 0.1, 1, scale)
    oracle = LogisticRegression(C=chosen("logistic", digits)["cost"], max_iter=2000, tol=1e-8)
    oracle.fit(standard[:300], digits.labels[:300])

    expected = oracle.predict(standard[300:])
    assert (decisions(recognizer("logistic", digits), digits) == expected).mean() > 0.995
    assert right(expected, digits) > 0.8, "or nothing was shown"


@pytest.mark.parametrize("model", ["svm_hog", "svm_pixels"])
def test_the_exported_machine_decides_as_scikit_learn_with_the_same_kernel(model, digits):
    fitted = recognizer(model, digits)
    points = coordinates(fitted, digits.images).double()
    root = torch.linalg.cholesky(similarity(points[:300], points[:300]) + 1e-3 * torch.eye(300))
    mapped = torch.linalg.solve_triangular(root, similarity(points[:300], points), upper=False).T.numpy()
    oracle = LinearSVC(C=chosen(model, digits)["cost"], intercept_scaling=100, tol=1e-6, max_iter=20_000)
    oracle.fit(mapped[:300], digits.labels[:300])

    expected = oracle.predict(mapped[300:])
    assert (decisions(fitted, digits) == expected).mean() > 0.995
    assert right(expected, digits) > 0.8, "or nothing was shown"


def test_the_exported_neighbours_decide_as_those_of_scikit_learn(digits):
    fitted = recognizer("knn", digits)
    points = coordinates(fitted, digits.images).numpy()
    voting = int(chosen("knn", digits)["voting"])
    oracle = KNeighborsClassifier(
        n_neighbors=voting + 1, weights=lambda d: 1 - d**2 / d.max(axis=1, keepdims=True) ** 2
    ).fit(points[:300], digits.labels[:300])

    expected = oracle.predict(points[300:])
    assert (decisions(fitted, digits) == expected).mean() > 0.995
    assert right(expected, digits) > 0.8, "or nothing was shown"


@pytest.mark.parametrize("model", OWN)
def test_the_exported_file_gives_the_probabilities_of_the_network(model, digits):
    fitted = recognizer(model, digits)

    probabilities, _ = onnxruntime(graph(fitted), threads=1).run(digits.images)

    expected = torch.from_numpy(fitted.logits(digits.images)).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_one_neighbour_gives_each_training_image_its_own_label(digits):
    fitted = recognizer("knn", digits)
    fitted.network.get_buffer("voting").fill_(1)

    assert (fitted.logits(digits.images[:300]).argmax(1) == digits.labels[:300]).all()


@pytest.mark.parametrize("model", OWN)
def test_the_same_plan_gives_the_same_weights_and_another_seed_others(model, digits):
    one, other = (fit_baseline(plan(model, images=250), digits, PREPROCESS).weights for _ in range(2))

    assert all(torch.equal(one[name], other[name]) for name in one)
    third = fit_baseline(plan(model, images=250, seed=1), digits, PREPROCESS).weights
    assert not all(torch.equal(one[name], third[name]) for name in one)


@pytest.mark.parametrize("model", OWN)
def test_images_outside_the_fit_part_have_no_say(model, digits):
    labels = digits.labels.copy()
    labels[300:] = np.random.default_rng(0).permutation(labels[300:])
    images = digits.images.copy()
    images[300:] = 255 - images[300:]

    one = fit_baseline(plan(model), digits, PREPROCESS)
    other = fit_baseline(plan(model), Examples(images, labels, digits.indices), PREPROCESS)

    assert one.history == other.history
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize(
    ("loss", "oracle"),
    [
        (cross_entropy, LogisticRegression(C=0.1, tol=1e-8, max_iter=2000)),
        (squared_hinge, LinearSVC(C=0.1, intercept_scaling=1000, tol=1e-8, max_iter=100_000)),
    ],
)
def test_planes_are_those_of_scikit_learn(loss, oracle):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    features = rng.normal(size=(200, 5)) + np.eye(3, 5)[labels]

    found = planes(
        torch.from_numpy(features).float(), torch.from_numpy(labels), classes=3, cost=0.1, loss=loss
    )

    oracle.fit(features, labels)
    expected = np.concatenate([oracle.coef_.T, oracle.intercept_[None]])
    if loss is cross_entropy:  # a constant that is added to all classes changes nothing
        found[-1] -= found[-1].mean()
        expected[-1] -= expected[-1].mean()
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_directions_are_the_eigenvectors_of_the_covariance():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(500, 30)) @ np.diag(0.7 ** np.arange(30)) + 3).astype(np.float32)

    mean, directions, variance = principal(torch.from_numpy(features), count=4)

    values, vectors = np.linalg.eigh(np.cov(features.T, bias=True))
    assert variance == pytest.approx(values.sum(), rel=1e-4)
    np.testing.assert_allclose(mean, features.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.abs((vectors[:, :-5:-1] * directions.numpy()).sum(axis=0)), 1, atol=1e-3)


def test_the_setting_that_is_right_most_often_is_chosen_and_copies_never_answer_for_each_other():
    labels = torch.arange(40) % 2
    sample = Sample(torch.zeros(40, 1), labels, np.arange(40) // 4, 2)
    seen = []

    def attempt(fitted, asked):
        seen.append(set(sample.units[fitted.numpy()]) & set(sample.units[asked.numpy()]))
        right = torch.nn.functional.one_hot(labels[asked], 2).float()
        yield {"cost": 1.0}, 1 - right
        yield {"cost": 2.0}, right
        yield {"cost": 3.0}, right

    found = choose(sample, plan("logistic", tuning_images=40), attempt, otherwise={"cost": 9.0})

    assert found.setting == {"cost": 2.0}
    assert [row["cv_accuracy"] for row in found.rows] == [0.0, 1.0, 1.0]
    assert seen == [set()] * 3


def test_too_few_images_to_divide_take_the_usual_setting():
    sample = Sample(torch.zeros(2, 1), torch.tensor([0, 1]), np.arange(2), 2)

    found = choose(sample, plan("logistic", tuning_images=2), lambda *_: iter(()), otherwise={"cost": 9.0})

    assert found.setting == {"cost": 9.0}
    assert found.rows == [{"cost": 9.0, "cv_images": 0, "chosen": 1}]
