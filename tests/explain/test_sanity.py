"""explain.sanity and shuffled: a map that does not depend on the weights is found out."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foveal.core.errors import UsageError
from foveal.explain.network_runs import NetworkRuns, with_network
from foveal.explain.sanity import sanity, spearman
from foveal.explain.shuffled import shuffled
from foveal.explain.white_box.grad_cam import grad_cam


@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 2**16))
def test_rank_correlation_is_that_of_scipy(count, levels, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, levels + 1, (2, count)).astype(float)

    expected = 0.0 if len(set(a)) == 1 or len(set(b)) == 1 else stats.spearmanr(a, b).statistic
    assert spearman(a, b) == pytest.approx(expected, abs=1e-12)


def test_only_the_order_counts_and_a_level_map_agrees_with_nothing():
    a = np.random.default_rng(0).normal(size=(4, 4))

    assert spearman(a, np.exp(a)) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(a, np.zeros((4, 4))) == 0
    with pytest.raises(UsageError, match="two equal shapes"):
        spearman(a, a[:2])


def edges(image, index):
    """Draw the picture's edges and call it an explanation."""
    grey = image.astype(float).mean(axis=2)
    return np.hypot(*np.gradient(grey)).astype(np.float32)


def test_an_edge_detector_does_not_pass_for_an_explanation(noise):
    images = [noise(seed) for seed in range(3)]

    found = sanity("edges", edges, edges, images, [0, 1, 2])

    assert found.rank_correlation == pytest.approx(1)
    assert found.verdict == "fail"
    assert found.as_json() == {
        "method": "edges",
        "rank_correlation": pytest.approx(1),
        "images": 3,
        "level": 0,
        "limit": 0.5,
        "verdict": "fail",
    }


def grad_cams(recognizer):
    return lambda image, index: grad_cam(recognizer, image, index)


def test_grad_cam_depends_on_the_weights(nano, noise):
    random = with_network(nano, shuffled(nano.network))
    copy = with_network(nano, deepcopy(nano.network))
    images = [noise(seed) for seed in range(6)]

    unchanged, found = (
        sanity("grad_cam", grad_cams(nano), grad_cams(other), images, [1] * 6) for other in (copy, random)
    )

    assert unchanged.level == found.level == 0  # zeros would have any correlation that one likes
    assert unchanged.rank_correlation == pytest.approx(1)
    assert unchanged.verdict == "fail"
    assert abs(found.rank_correlation) < 0.5
    assert found.verdict == "pass"


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_maps_that_are_level_agree_fully_and_prove_nothing(noise, value):
    images = [noise(seed) for seed in range(3)]
    level = np.float32(value) + np.float32(value) * 1e-8 * np.eye(4, dtype=np.float32)

    found = sanity("level", lambda i, k: level, lambda i, k: level[:2, :2], images, [0] * 3)

    assert (found.rank_correlation, found.level, found.verdict) == (1.0, 6, "undetermined")


def test_a_map_that_turns_level_has_changed(noise):
    images = [noise(seed) for seed in range(4)]
    zeros = np.zeros((4, 4), np.float32)

    found = sanity("edges", edges, lambda i, k: zeros, images, [0] * 4)

    assert (found.rank_correlation, found.level, found.verdict) == (0.0, 4, "pass")


def test_most_maps_level_is_more_than_half_of_them(noise):
    images = [noise(seed) for seed in range(4)]
    zeros = np.zeros((32, 32), np.float32)

    found = sanity(
        "edges", lambda i, k: zeros if k else edges(i, k), lambda i, k: zeros, images, [1, 0, 0, 0]
    )

    assert (found.rank_correlation, found.level, found.verdict) == (0.25, 5, "undetermined")


def test_a_network_without_weights_cannot_be_shuffled():
    with pytest.raises(UsageError, match="no weights to put in random order") as caught:
        shuffled(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU()))
    assert caught.value.code == "no_weights"


def test_maps_of_different_sizes_are_compared_at_the_larger_one(noise):
    large = np.random.default_rng(0).normal(size=(16, 16))

    found = sanity("any", lambda i, k: large, lambda i, k: large[::4, ::4], [noise()], [0])

    assert -1 < found.rank_correlation < 1
    with pytest.raises(UsageError, match="at least one picture"):
        sanity("any", edges, edges, [], [])


def test_shuffled_weights_are_the_same_values_in_another_order(nano, noise):
    before = {name: value.clone() for name, value in nano.network.state_dict().items()}

    random = shuffled(nano.network, seed=0)

    for name, value in random.named_parameters():
        assert torch.equal(value.flatten().sort().values, before[name].flatten().sort().values)
    assert not torch.equal(random.head.weight, nano.network.head.weight)
    assert all(torch.equal(value, before[name]) for name, value in nano.network.state_dict().items())
    again, other = shuffled(nano.network, seed=0), shuffled(nano.network, seed=1)
    assert torch.equal(random.head.weight, again.head.weight)
    assert not torch.equal(random.head.weight, other.head.weight)


def test_a_network_answers_as_its_logits_say(nano, noise):
    images = np.stack([noise(seed) for seed in range(3)])

    found = NetworkRuns(nano).run(images).probabilities

    logits = nano.logits(images).astype(float)
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), rtol=1e-5)
