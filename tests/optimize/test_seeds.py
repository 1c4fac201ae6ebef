"""Every random choice of a search follows from its seed: the same one gives the same, another one another."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from foveal.optimize import screening as step
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Start
from foveal.optimize.families.narrow import narrow
from foveal.optimize.families.slimmer import slimmer
from foveal.optimize.labels import Pictures
from foveal.optimize.workshop import Roles
from foveal.tasks.recognizer import Recognizer, build
from foveal.train.examples import Examples


@pytest.fixture(scope="module")
def start(nano, pictures):
    arguments = {"channels": 3, "classes": 6, "size": 16}
    preprocess = nano.preprocess.model_copy(update={"size": 32})
    original = Recognizer(
        build("mobilenet_v2", {**arguments, "size": 32}).eval(),
        "mobilenet_v2",
        {**arguments, "size": 32},
        preprocess,
        nano.classes,
    )
    large = pictures[:16].repeat(2, axis=1).repeat(2, axis=2)
    return Start(original, large, macs=10**9)


def roles(seed: int, *, learning: bool = True, classes: int = 4) -> Roles:
    """200 pictures that tell themselves apart, by class as folders are, and 40 others that choose."""
    images = np.arange(240, dtype=np.uint8).reshape(240, 1, 1, 1)
    labels = np.arange(240) * classes // 240
    learned = Examples(images, labels, np.arange(200))
    choosing = Pictures.of(np.zeros(40, np.int64), labelled=True)
    shows = {"learning": learned} if learning else {"showing": images[:200]}
    return Roles(images[200:], choosing, seed=seed, **shows)


@pytest.mark.parametrize("family", [narrow, slimmer])
def test_fresh_weights_follow_from_the_seed_and_differ_between_candidates(family, start) -> None:
    def weights(seed):
        return [one.make().network.state_dict() for one in family(replace(start, seed=seed))[-2:]]

    first, again, other = weights(3), weights(3), weights(4)

    for one, same, another in zip(first, again, other, strict=True):
        assert all(torch.equal(one[name], same[name]) for name in one)
        drawn = [name for name, value in one.items() if value.ndim > 1 and value.unique().numel() > 2]
        assert any(not torch.equal(one[name], another[name]) for name in drawn)


def test_making_a_fresh_network_moves_nobody_elses_randomness(start) -> None:
    [one, *_] = narrow(start)
    torch.manual_seed(5)
    expected = torch.rand(3)

    torch.manual_seed(5)
    one.make()

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("learning", [True, False])
def test_pictures_that_are_shown_follow_from_the_seed_and_choose_nothing(learning) -> None:
    drawn = {seed: roles(seed, learning=learning).shown(50).ravel().tolist() for seed in range(4)}

    assert drawn[0] == roles(0, learning=learning).shown(50).ravel().tolist()
    assert len({tuple(sorted(each)) for each in drawn.values()}) == len(drawn)
    for each in drawn.values():
        assert len(set(each)) == 50
        assert max(each) < 200
    every = roles(1, learning=learning).shown(999).ravel()
    assert sorted(every) == list(range(200))
    assert every[:50].tolist() == drawn[1]


def test_whoever_looks_at_the_first_of_them_sees_all_classes() -> None:
    """Pictures lie in folders by class; 25 of each class of 8 are learned from."""
    shown = roles(0, classes=8).shown(128).ravel()

    for count in (16, 64, 128):
        counts = np.bincount(shown[:count].astype(int) * 8 // 240, minlength=7)
        assert counts.max() - counts[:6].min() <= 1, "the last class has fewer pictures"


def test_pictures_that_score_candidates_follow_from_the_seed(monkeypatch) -> None:
    monkeypatch.setattr(step, "_FEWEST", 10)
    monkeypatch.setattr(step, "_SCORE_SHARE", 0.0)
    original = SimpleNamespace(logits=lambda images: images)

    def scoring(seed):
        given = roles(seed)
        rows, truth = step._scoring(SimpleNamespace(roles=given, budget=Budget()), original)
        np.testing.assert_array_equal(truth, given.pictures.truth[rows])
        return rows.tolist()

    assert scoring(0) == scoring(0)
    assert len({tuple(scoring(seed)) for seed in range(4)}) > 1
    assert set(scoring(1)) <= set(range(len(roles(1).pictures.truth)))


def test_families_get_the_seed_of_the_search(nano) -> None:
    made, _ = step._start(SimpleNamespace(roles=roles(7), budget=Budget()), nano)

    assert made.seed == 7
