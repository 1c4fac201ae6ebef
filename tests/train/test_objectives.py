"""train.objectives and what a recipe may say of them: named, set, attacked without a trace, gone on with."""

import itertools
import signal

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, kl_divergence

from foveal.core.errors import RecipeError, UnknownNameError, UsageError
from foveal.models import architecture
from foveal.perturb.attacks.ascent import ascend
from foveal.train import chosen, ranks
from foveal.train.loop import fetch, fit
from foveal.train.objectives import _attacked, trades
from foveal.train.objectives._attacked import under_attack
from foveal.train.planning import check_recipe
from foveal.train.ranks import Team
from foveal.train.recipe import Recipe
from foveal.train.starting import start

ATTACKED = ["adversarial", "free", "trades"]


@pytest.fixture
def make(examples, supervised):
    def objective(plan):
        preprocess = supervised(plan).preprocess
        return start(plan, architecture(plan.model), examples, preprocess, classes=3)

    return objective


@pytest.fixture
def planned(plan):
    def with_objective(name, **settings):
        return plan.model_copy(update={"objective": name, "settings": chosen.settings_of(name, settings)})

    return with_objective


def test_a_recipe_names_what_needs_nothing_but_numbers():
    assert chosen.offered() == [
        "adversarial", "adversarial_patch", "arcface", "fixmatch", "free", "interval", "logit_norm",
        "supervised",
        "trades", "unfreeze",
    ]  # fmt: skip
    with pytest.raises(UnknownNameError, match="did you mean 'adversarial'"):
        check_recipe(Recipe(objective="adversary"))
    with pytest.raises(UnknownNameError):
        check_recipe(Recipe(objective="distill"))


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"epsilom": 8.0}, "did you mean 'epsilon'"),
        ({"epsilon": 300.0}, "grey levels"),
        ({"steps": 2.5}, "each batch"),
        ({"steps": 0}, "each batch"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_a_picture_is_read(settings, hint):
    with pytest.raises(RecipeError) as caught:
        check_recipe(Recipe(objective="adversarial", settings=settings))

    assert hint in caught.value.hint


def test_a_baseline_has_no_objective():
    with pytest.raises(RecipeError, match="objective"):
        check_recipe(Recipe(model="svm-hog", objective="trades"))


@pytest.mark.parametrize("name", chosen.offered())
def test_every_default_is_inside_its_own_range(name):
    assert chosen.settings_of(name, chosen.settings_of(name, {})) == chosen.settings_of(name, {})
    assert 0 <= chosen.label_smoothing(name) < 1


def test_plans_of_earlier_versions_keep_their_digest(plan, planned):
    same = type(plan)(**{k: v for k, v in plan.model_dump().items() if k not in ("objective", "settings")})

    assert same.digest == plan.digest == planned("supervised").digest
    digests = {planned(*one).digest for one in (("adversarial",), ("trades",), ("supervised",))}
    assert len(digests | {planned("adversarial", epsilon=4).digest}) == 4


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", chosen.offered())
def test_interrupted_and_resumed_equals_undisturbed(tmp_path, examples, planned, make, name, precision):
    plan = planned(name).model_copy(update={"precision": precision, "steps": 7})
    undisturbed = fit(make(plan), examples, plan)

    def stop(stage, done, total, note=""):
        if done == 5:  # in the middle of a replay
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(make(plan), examples, plan, checkpoints=tmp_path, progress=stop)
    resumed = fit(make(plan), examples, plan, checkpoints=tmp_path)

    assert resumed.resumed_from == 5
    assert resumed.history == undisturbed.history
    assert all(torch.equal(resumed.weights[k], v) for k, v in undisturbed.weights.items())


class Dropped(nn.Module):
    """A network with all that has a mode: batch norm that learns, one that is frozen, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 6, 3)
        self.norm, self.frozen = nn.BatchNorm2d(6), nn.BatchNorm2d(6)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(6, 3)
        self.frozen.eval()

    def forward(self, images):
        return self.head(self.drop(F.relu(self.frozen(self.norm(self.enter(images)))).mean((2, 3))))


def test_an_attack_uses_the_batchs_statistics_and_leaves_no_trace():
    torch.manual_seed(0)
    network = Dropped()
    images = torch.randn(8, 3, 16, 16)
    network.train()
    network.frozen.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    held = {name: id(value) for name, value in network.state_dict(keep_vars=True).items()}
    wanted = network.head(
        F.relu(network.frozen(F.batch_norm(network.enter(images), None, None, training=True))).mean((2, 3))
    )
    random_state = torch.get_rng_state()

    with under_attack(network):
        asked = images.clone().requires_grad_()
        answers = network(asked)
        torch.autograd.grad(answers.sum(), asked)

    torch.testing.assert_close(answers, wanted)
    assert torch.equal(torch.get_rng_state(), random_state), "dropout drew nothing"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {name: id(value) for name, value in network.state_dict(keep_vars=True).items()} == held
    assert (network.training, network.norm.training, network.frozen.training) == (True, True, False)
    assert network.drop.training
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_a_network_is_put_back_when_an_attack_fails():
    network = Dropped()

    with pytest.raises(ZeroDivisionError), under_attack(network):
        raise ZeroDivisionError

    assert network.training
    assert network.norm.running_mean is not None


@pytest.mark.parametrize("name", [*ATTACKED, "adversarial_patch"])
def test_in_bf16_too_every_weight_learns(examples, planned, make, name):
    objective = make(planned(name)).train()

    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(fetch(examples, planned(name), 0)).loss
    loss.backward()

    silent = [n for n, p in objective.network.named_parameters() if p.requires_grad and p.grad is None]
    assert silent == []


@pytest.mark.parametrize("name", ATTACKED)
def test_a_step_updates_the_statistics_once_and_shows_pictures_inside_the_ball(
    examples, planned, make, name, monkeypatch
):
    plan = planned(name, epsilon=6)
    objective = make(plan)
    shown = []
    answers = type(objective).answers

    def spied(self, pixels):
        shown.append((pixels.detach().clone(), self.network.stages[0].enter_norm.running_mean is not None))
        return answers(self, pixels)

    monkeypatch.setattr(_attacked.Attacked, "answers", spied)
    objective.train()
    batch = fetch(examples, plan, 0)

    objective(batch).loss.backward()

    pixels = objective.pixels(objective.views(fetch(examples, plan, 0))[0])
    learned = [one for one, updates in shown if updates]
    assert [len(one) for one in learned] == [len(pixels) * (2 if name == "trades" else 1)]
    for moved, _ in shown:
        assert 0 <= moved.min() <= moved.max() <= 255
        assert ((moved[-len(pixels) :] - pixels).abs() <= 6 + 1e-3).all()
    far = (learned[0][-len(pixels) :] - pixels).abs()
    assert far.max() > 1
    assert objective.network.stages[0].enter_norm.num_batches_tracked == 1


def test_pixels_are_what_the_network_was_shown(examples, planned, make):
    objective = make(planned("adversarial").model_copy(update={"augmentation": {}}))
    batch = fetch(examples, planned("adversarial"), 0)
    objective.eval()

    images, _ = objective.views(batch)

    torch.testing.assert_close(
        objective.pixels(images), batch.images.float().permute(0, 3, 1, 2), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(objective.answers(objective.pixels(images)), objective.network(images))


def test_epsilon_rises_over_its_share_of_the_run(planned, make):
    objective = make(planned("adversarial", epsilon=8, rise=0.5))

    radii = [objective.ball(share).radius for share in (0.0, 0.125, 0.25, 0.5, 0.9)]

    assert radii[1:] == [2.0, 4.0, 8.0, 8.0]
    assert 0 < radii[0] < 0.1
    assert make(planned("adversarial", epsilon=8)).ball(0.0).radius == 8


def test_an_l2_adversary_stays_in_an_l2_ball(planned, make):
    assert str(make(planned("trades", epsilon=127.5, l2=1)).ball(0.0)) == "l2 0.5"


def test_trades_measures_the_divergence_of_its_paper():
    upset, calm = torch.randn(2, 16, 5, generator=torch.Generator().manual_seed(0))

    found = trades._divergence(upset, calm)

    expected = kl_divergence(Categorical(logits=calm), Categorical(logits=upset)).sum()
    torch.testing.assert_close(found, expected)
    assert trades._divergence(calm, calm).abs() < 1e-6


def test_logit_norm_does_not_hear_how_long_logits_are(planned, make):
    objective = make(planned("logit_norm", temperature=0.1))
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))

    normalized = objective.normalized(logits)

    torch.testing.assert_close(normalized, objective.normalized(1000 * logits))
    torch.testing.assert_close(normalized.norm(dim=1), torch.full((8,), 10.0))
    assert objective.normalized(torch.zeros(2, 3)).isfinite().all()


def test_free_shows_the_same_pictures_and_moves_them_by_the_gradient_of_the_step(examples, planned, make):
    plan = planned("free", replays=3, epsilon=4)
    objective = make(plan).train()
    seen, moves = [], []
    for step in range(6):
        objective(fetch(examples, plan, step)).loss.backward()
        seen.append(objective.shown.clone())
        objective.after_step(step / 6)
        moves.append(objective.moves.clone())

    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[2], seen[3])
    assert torch.equal(seen[3], seen[5])
    assert all(not torch.equal(one, other) for one, other in itertools.pairwise(moves))
    assert all(one.abs().max() <= 4 + 1e-3 for one in moves)


def test_free_is_refused_where_several_processes_train(planned, make, monkeypatch):
    monkeypatch.setattr(ranks, "here", lambda: Team(rank=0, size=2))

    with pytest.raises(UsageError, match="one process"):
        make(planned("free"))


@pytest.mark.parametrize("name", ["adversarial", "free", "trades"])
def test_it_learns_to_withstand_what_the_plain_one_does_not(examples, planned, make, name):
    def robust(plan):
        objective = make(plan)
        objective.network.load_state_dict(fit(objective, examples, plan).weights)
        network = objective.network.eval()
        whole = plan.model_copy(update={"batch_size": 80, "augmentation": {}})
        batch = fetch(examples, whole, 0)
        judge = make(planned("adversarial", epsilon=24).model_copy(update={"augmentation": {}}))
        judge.network.load_state_dict(network.state_dict())
        judge.network.eval()
        pixels = judge.pixels(judge.views(batch)[0])
        moved = ascend(
            lambda p: F.cross_entropy(judge.answers(p), batch.labels, reduction="sum"),
            pixels, pixels, ball=judge.ball(0.0), step=6.0, steps=10,
        )  # fmt: skip
        return (judge.answers(moved).argmax(1) == batch.labels).float().mean()

    longer = {"steps": 60, "augmentation": {}, "label_smoothing": 0.0}
    plain = robust(planned("supervised").model_copy(update=longer))
    hardened = robust(planned(name, epsilon=24).model_copy(update=longer))

    assert hardened > plain + 0.1, (plain, hardened)


def test_an_adversary_keeps_the_first_layer_from_blowing_up_what_nature_hardly_varies(make, planned):
    def loudest(plan):
        return make(plan).network.whiten.weight.flatten(1).norm(dim=1).max().item()

    plain, near, far = (
        loudest(plan)
        for plan in (planned("supervised"), planned("trades", epsilon=1), planned("trades", epsilon=16))
    )

    reach = 16 / 255 / 0.2  # in deviations of the pixels
    assert far <= 1 / reach
    assert far < near <= plain
