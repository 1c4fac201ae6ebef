"""Auxiliary classifiers: their losses count, they learn and resume along, and they never ship."""

import numpy as np
import pytest
import torch
from torch import nn

from foveal import models
from foveal.core.errors import RecipeError
from foveal.data.preprocess import Preprocess
from foveal.tasks.classify import learn
from foveal.train.examples import Examples
from foveal.train.loop import fetch, fit
from foveal.train.objectives.supervised import Supervised
from foveal.train.plan import Plan
from foveal.train.starting import start

PREPROCESS = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)


class Judged(nn.Module):
    """Two layers, the first of which is judged, too."""

    auxiliary_share = 0.3

    def __init__(self, *, channels, classes, size):
        super().__init__()
        self.inner, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4, classes)

    def auxiliary(self):
        return {"inner": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))}

    def forward(self, images):
        return self.head(self.inner(images).relu().mean(dim=(2, 3)))


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return Examples(rng.integers(0, 256, (24, 8, 8, 3), np.uint8), rng.integers(0, 3, 24), np.arange(24))


def plan(**changes):
    wanted = {
        "model": "judged", "arguments": {"channels": 3, "classes": 3, "size": 8}, "images": 24, "steps": 6,
        "batch_size": 8, "optimizer": "adam", "learning_rate": 1e-2, "weight_decay": 0.0,
        "label_smoothing": 0.1, "ema_share": 0.5, "augmentation": {}, "precision": "fp32",
        "seed": 0, "threads": 1, "step_seconds": 0.0,
    }  # fmt: skip
    return Plan(**(wanted | changes))


def objective(examples, wanted):
    return start(wanted, models.Architecture(Judged), examples, PREPROCESS, classes=3)


def test_the_loss_is_the_network_s_and_a_share_of_the_auxiliary_one(examples):
    made, batch = objective(examples, plan()), fetch(examples, plan(), 0)

    found = made(batch).loss

    images, targets = made.views(batch)
    with torch.no_grad():
        judge = made.auxiliary["inner"]
        main = learn.loss(made.network(images), targets)
        inner = learn.loss(judge(made.network.inner(images)), targets)
    torch.testing.assert_close(found, main + 0.3 * inner)
    assert inner > 0.1
    assert not made.network.inner._forward_hooks, "nothing stays behind in what ships"


def test_they_learn_along_and_do_not_ship(examples):
    made = objective(examples, plan())
    before = {name: value.clone() for name, value in made.auxiliary.state_dict().items()}

    fitted = fit(made, examples, plan())

    after = made.auxiliary.state_dict()
    assert before
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert set(fitted.weights) == set(Judged(channels=3, classes=3, size=8).state_dict())


def test_they_begin_as_the_seed_says_and_go_on_where_they_were(examples, tmp_path):
    whole = objective(examples, plan())
    fit(whole, examples, plan())
    torch.manual_seed(123)  # whatever else the process did
    stopped = objective(examples, plan())

    def stop(stage, done, of, note=""):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(stopped, examples, plan(), checkpoints=tmp_path, progress=stop)
    resumed = objective(examples, plan())
    fit(resumed, examples, plan(), checkpoints=tmp_path)

    ended = resumed.state_dict()
    assert any(name.startswith("auxiliary.") for name in ended)
    assert all(torch.equal(value, ended[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("name", ["logit_norm", "trades"])
def test_an_objective_without_a_loss_for_them_is_refused(examples, name):
    from foveal.train.chosen import settings_of

    with pytest.raises(RecipeError, match=f"auxiliary classifiers, and the objective {name} has no loss"):
        objective(examples, plan(objective=name, settings=settings_of(name, {})))


def test_a_network_without_any_has_none(examples):
    made = start(
        plan(), models.Architecture(lambda **given: nn.Sequential(nn.Flatten(), nn.Linear(192, 3))), examples,
        PREPROCESS, classes=3,
    )  # fmt: skip

    assert type(made) is Supervised
    assert list(made.state_dict()) == ["network.1.weight", "network.1.bias"]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_theirs_judge_small_pictures_too(name):
    architecture = models.architecture(name)
    with torch.device("meta"):
        network = architecture.build(channels=3, classes=5, size=32)
        inner = {}
        for part in network.auxiliary():
            network.get_submodule(part).register_forward_hook(
                lambda module, given, result, part=part: inner.update({part: result})
            )
        network(torch.empty(2, 3, 32, 32))
        for part, judge in network.auxiliary().items():
            assert judge.train()(inner[part]).shape == (2, 5)
