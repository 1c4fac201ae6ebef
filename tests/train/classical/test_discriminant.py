"""discriminant: the same planes as scikit-learn's, on few and on many pictures."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from foveal.core.progress import silent
from foveal.train.classical import Sample
from foveal.train.classical.discriminant import _Parts, discriminant
from foveal.train.fit_plan import FitPlan

PLAN = FitPlan(
    model="nano", arguments={}, images=6, of=6, tuning_images=6, folds=3, seed=0, threads=1, seconds=0.0
)


@pytest.mark.parametrize("images", [20, 200], ids=["fewer than dimensions", "more"])
@pytest.mark.parametrize("shrinkage", [0.9, 0.1])
def test_planes_are_those_of_scikit_learn(images: int, shrinkage: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 3
    features = rng.normal(size=(images, 40)) @ rng.normal(size=(40, 40)) + labels[:, None]
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, labels)
    # scikit-learn standardizes before it shrinks; the covariance is put in by hand to compare the planes.
    within = sum(np.cov(features[labels == k].T, bias=True) * (labels == k).mean() for k in range(3))
    drawn = (1 - shrinkage) * within + shrinkage * np.trace(within) / 40 * np.eye(40)
    weights = np.linalg.solve(drawn, theirs.means_.T)
    bias = np.log(theirs.priors_) - 0.5 * (theirs.means_ * weights.T).sum(axis=1)

    found, at = _Parts(torch.from_numpy(features), torch.from_numpy(labels), 3).planes(shrinkage)

    # What all classes have in common changes no probability, and is taken off.
    np.testing.assert_allclose(found, weights - weights.mean(axis=1, keepdims=True), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(at.numpy(), bias - bias.mean(), rtol=1e-3, atol=1e-3)


def test_what_classes_have_in_common_rounds_nothing_away() -> None:
    """Features as networks have them: all above 0, alike in most directions, apart in some faint ones."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(600) % 6
    apart = torch.randn(6, 64, generator=generator)[labels]
    features = 1 + 0.05 * apart + 0.05 * torch.randn(600, 64, generator=generator)

    weights, bias = _Parts(features, labels, 6).planes(0.01)

    exact = features.double() @ weights.double() + bias.double()
    found = features @ weights + bias
    assert (found - exact).abs().max() < 2e-5 * exact.std()
    assert weights.sum(dim=1).abs().max() < 1e-4 * weights.abs().max()
    assert abs(bias.sum()) < 1e-4 * bias.abs().max()


@pytest.mark.parametrize("copies", [1, 3], ids=["one picture a class", "copies of one"])
def test_without_variance_within_the_classes_it_is_the_nearest_mean_and_not_certain(copies: int) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = 1 + 0.05 * torch.randn(5, 40, generator=generator)
    labels = torch.arange(5).repeat(copies)
    sample = Sample(pictures.repeat(copies, 1), labels, np.arange(5).repeat(copies), classes=5)
    asked = pictures[[3, 1]] + 0.02 * torch.randn(2, 40, generator=generator)

    tensors = discriminant(sample, PLAN, progress=silent).tensors

    weights = tensors["projection.basis"]
    answers = (asked - tensors["projection.mean"]) @ weights + tensors["bias"]
    assert answers.argmax(1).tolist() == [3, 1]
    assert torch.isfinite(answers).all()
    assert 0.3 < answers.softmax(1).amax() < 0.999, "five pictures prove no certainty"
    assert weights.abs().max() * 0.05 < 10, "what a feature moves is of the size of a logit"


@pytest.mark.parametrize("classes", [None, 12], ids=["all with a picture", "some without"])
@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_one_picture_a_class_makes_as_sure_as_so_few_answers_can(
    count: int, views: int, classes: int | None
) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = 1 + 0.05 * torch.randn(count, 40, generator=generator)
    changed = [pictures + 0.005 * torch.randn(count, 40, generator=generator) for _ in range(views - 1)]
    places = np.tile(np.arange(count), views)
    sample = Sample(
        torch.cat([pictures, *changed]), torch.from_numpy(places), places, classes=classes or count
    )

    tensors = discriminant(sample, PLAN, progress=silent).tensors

    answers = (pictures - tensors["projection.mean"]) @ tensors["projection.basis"] + tensors["bias"]
    sure = answers.softmax(1).diagonal().mean()
    assert sure == pytest.approx(1 - 1 / (count + 2), abs=0.03), "Laplace's rule of succession"


def test_pictures_that_are_all_the_same_give_finite_planes() -> None:
    weights, bias = _Parts(torch.ones(4, 6), torch.tensor([0, 1, 0, 1]), 2).planes(0.3)

    assert torch.isfinite(weights).all()
    assert bias.abs().max() < 1e-6


def test_a_class_without_pictures_is_never_answered() -> None:
    features = torch.tensor([[19.0], [20.0], [21.0], [29.0], [30.0], [31.0]])
    labels = torch.tensor([0, 0, 0, 2, 2, 2])
    sample = Sample(features, labels, np.arange(6), classes=4)
    asked = torch.linspace(-1e4, 1e4, 2001)[:, None]

    tensors = discriminant(sample, PLAN, progress=silent).tensors

    found = (asked - tensors["projection.mean"]) @ tensors["projection.basis"] + tensors["bias"]
    assert set(found.argmax(1).tolist()) == {0, 2}
    assert torch.equal(found.argmax(1) == 2, asked[:, 0] > 25)
    assert (found.softmax(1)[:, [1, 3]] < 1e-20).all()
    assert torch.isfinite(tensors["bias"]).all()
