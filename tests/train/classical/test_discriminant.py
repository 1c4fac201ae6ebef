"""discriminant: the same planes as scikit-learn's, on few and on many pictures."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from foveal.train.classical.discriminant import _Parts


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
