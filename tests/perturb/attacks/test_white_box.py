"""perturb.attacks.white_box: as strong as theory and another implementation say, and never outside."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.perturb.attacks import white_box
from foveal.perturb.attacks.ascent import ascend, lengths, random_start, uphill
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.white_box import apgd_dlr as dlr
from foveal.perturb.attacks.white_box._auto import checkpoints

ATTACKS = {name: catalog.find(white_box, name) for name in ("apgd_ce", "apgd_dlr", "fgsm", "pgd")}
ATTACKS["apgd_dlr_targeted"] = partial(ATTACKS["apgd_dlr"], targets=4)
MANY = [name for name in ATTACKS if name != "fgsm"]
BALLS = [Ball("linf", 8.0), Ball("l2", 100.0)]
CLASSES, SIZE = 5, 12


def run(name, logits, images, labels, *, ball, steps=20, seed=0):
    steps = 1 if name == "fgsm" else steps
    generator = torch.Generator().manual_seed(seed)
    return ATTACKS[name](logits, images, labels, ball=ball, steps=steps, generator=generator)


def distances(moved, images, ball):
    moves = (moved - images).double().flatten(1)
    return moves.abs().amax(1) if ball.norm == "linf" else moves.norm(dim=1)


def standing(logits, images, labels):
    with torch.no_grad():
        return logits(images).argmax(1) == labels


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.norm = nn.Conv2d(3, 12, 3, stride=2), nn.BatchNorm2d(12)
        self.again, self.drop, self.head = nn.Conv2d(12, 24, 3), nn.Dropout(0.1), nn.Linear(24 * 9, CLASSES)

    def forward(self, pixels):
        features = F.relu(self.norm(self.enter(pixels / 255 - 0.5)))
        return self.head(self.drop(F.relu(self.again(features)).flatten(1)))


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.rand(CLASSES, 3, SIZE, SIZE, generator=generator) * 60 + 98
    labels = torch.randint(CLASSES, (700,), generator=generator)
    noise = torch.randn(700, 3, SIZE, SIZE, generator=generator) * 25
    return (prototypes[labels] + noise).round().clamp(0, 255), labels


@pytest.fixture(scope="module")
def network(pictures):
    images, labels = pictures
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Small()
        optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
        for step in range(60):
            rows = torch.arange(step * 64, step * 64 + 64) % 400
            F.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()
    return net.eval()


@pytest.fixture(scope="module")
def unseen(pictures, network):
    images, labels = pictures[0][400:], pictures[1][400:]
    assert standing(network, images, labels).float().mean() > 0.9
    return images, labels


class Linear:
    """Classes with weights of one size on pixels of their own: the best other class is the nearest one.

    From y to j, Linf: margin / (2 d), L2: margin / sqrt(2 d), d pixels a class. Where it is not crowded, all
    other classes are three times as far as the nearest: what follows the sum of all then goes to that one.
    """

    def __init__(self, norm: str, radius: float, *, crowded: bool, count: int = 200) -> None:
        generator = torch.Generator().manual_seed(1)
        each = 30
        self.weights = torch.zeros(CLASSES, CLASSES * each, dtype=torch.float64)
        for k in range(CLASSES):
            signs = torch.randint(2, (each,), generator=generator) * 2 - 1
            self.weights[k, k * each : (k + 1) * each] = signs
        reach = {"linf": 2 * each, "l2": (2 * each) ** 0.5}[norm] * radius
        images = torch.rand(count, CLASSES * each, generator=generator, dtype=torch.float64) * 20 + 118
        self.labels = torch.randint(CLASSES, (count,), generator=generator)
        scores = images @ self.weights.T
        if not crowded:
            rival = scores.scatter(1, self.labels[:, None], -torch.inf).argmax(1)
            far = torch.ones(count, CLASSES, dtype=torch.float64).scatter(1, rival[:, None], 0)
            images -= (2 * reach / each) * far @ self.weights
            scores = images @ self.weights.T
        true = scores.gather(1, self.labels[:, None])
        gap = true[:, 0] - scores.scatter(1, self.labels[:, None], -torch.inf).amax(1)
        own = self.weights[self.labels]
        images += own * ((reach - gap) / each)[:, None]  # now all have exactly this radius
        assert ((images > 30) & (images < 225)).all(), "0 and 255 are out of reach"
        self.images = images.view(count, CLASSES, 5, 6)
        self.scale = 8 / reach  # so that cross-entropy neither vanishes nor spreads over all classes

    def __call__(self, pixels):
        return pixels.double().flatten(1) @ self.weights.T * self.scale


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", MANY)
def test_on_a_linear_model_the_exact_radius_is_reached_and_never_undercut(name, norm):
    radius = 6.0 if norm == "linf" else 40.0
    model = Linear(norm, radius, crowded=name == "apgd_dlr_targeted")
    images, labels = model.images, model.labels

    beyond = run(name, model, images, labels, ball=Ball(norm, 1.01 * radius), steps=50)
    below = run(name, model, images, labels, ball=Ball(norm, 0.999 * radius), steps=50)

    assert (~standing(model, beyond, labels)).double().mean() >= 0.99
    assert standing(model, below, labels).all()


def test_one_step_is_exact_where_the_gradient_is_the_same_everywhere():
    model = Linear("linf", 6.0, crowded=True)
    model.scale /= 4
    two = lambda pixels: model(pixels)[:, :2]  # noqa: E731
    rows = model.labels < 2
    images, labels = model.images[rows], model.labels[rows]
    gap = two(images).gather(1, labels[:, None])[:, 0] - two(images).gather(1, 1 - labels[:, None])[:, 0]
    exact = gap / model.scale / 60
    nearest = exact.sort().values

    for share in (0.2, 0.5, 0.8):
        radius = float(nearest[int(share * len(nearest))]) + 1e-3
        moved = run("fgsm", two, images, labels, ball=Ball("linf", radius))
        assert torch.equal(~standing(two, moved, labels), exact < radius)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("norm", "radius"), [("linf", 9.0), ("l2", 90.0)])
def test_it_is_as_strong_as_foolbox_with_the_same_budget(network, unseen, norm, radius):
    foolbox = pytest.importorskip("foolbox")
    images, labels = unseen
    steps, ball = 40, Ball(norm, radius)
    model = foolbox.PyTorchModel(copy.deepcopy(network), bounds=(0, 255), device="cpu")
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]

    def theirs(random_start):
        torch.manual_seed(0)
        attack = kind(
            rel_stepsize={"linf": 2.5, "l2": 5.0}[norm] / steps, steps=steps, random_start=random_start
        )
        return ~attack(model, images, labels, epsilons=radius)[2]

    same = ascend(
        lambda moved: F.cross_entropy(network(moved), labels, reduction="sum"),
        images, images, ball=ball, step={"linf": 2.5, "l2": 5.0}[norm] * radius / steps, steps=steps,
    )  # fmt: skip
    left = {
        name: standing(network, run(name, network, images, labels, ball=ball, steps=steps), labels)
        for name in MANY
    }

    assert len(images) >= 200
    assert (theirs(False) != standing(network, same, labels)).double().mean() <= 0.01
    expected = theirs(True).double().mean()
    assert 0.05 < expected < 0.9, "neither all nor nothing"
    for name in ("pgd", "apgd_ce", "apgd_dlr_targeted"):
        assert left[name].double().mean() <= expected + 0.01, name


@given(
    name=st.sampled_from(sorted(ATTACKS)),
    norm=st.sampled_from(["linf", "l2"]),
    radius=st.floats(0.05, 400),
    seed=st.integers(0, 2**31),
    classes=st.integers(2, 6),
)
@settings(max_examples=60)
def test_nothing_leaves_the_ball_or_the_range_of_pixels(name, norm, radius, seed, classes):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (3, 3, 5, 5), generator=generator).float()
    images[0] = 255.0 * (images[0] > 127)
    weights = torch.randn(classes, 75, generator=generator)
    labels = torch.randint(classes, (3,), generator=generator)
    ball = Ball(norm, radius)

    moved = run(
        name, lambda pixels: (pixels.flatten(1) / 255) @ weights.T, images, labels, ball=ball, steps=6
    )

    assert moved.shape == images.shape
    assert moved.dtype == torch.float32
    assert (distances(moved, images, ball) <= radius * (1 + 1e-5) + 1e-3).all()
    assert (moved >= 0).all()
    assert (moved <= 255).all()
    whole = [t.permute(0, 2, 3, 1).numpy() for t in (moved, images)]
    rounded = ball.rounded(whole[0], whole[1].astype(np.uint8))
    assert (ball.distance(rounded, whole[1].astype(np.uint8)) <= radius).all()


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_is_a_function_of_its_seed_and_leaves_all_as_it_was(name, ball, network, unseen):
    images, labels = (t[:24] for t in unseen)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    kept, state = images.clone(), torch.get_rng_state()

    first, second = (run(name, network, images, labels, ball=ball, steps=6) for _ in range(2))

    assert torch.equal(first, second)
    assert not first.requires_grad
    if name in ("pgd", "apgd_ce"):
        assert not torch.equal(first, run(name, network, images, labels, ball=ball, steps=6, seed=1))
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state), "the global random state is nobody's"
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not network.training
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_no_picture_moves_another(name, ball, network, unseen):
    exact = Small().double().eval()
    exact.load_state_dict(network.state_dict())
    images, labels = (t[:12].clone() for t in unseen)
    images, others = images.double(), images.double()
    others[6:] = torch.flip(others[6:], (0, 3))

    one, two = (run(name, exact, batch, labels, ball=ball, steps=8)[:6] for batch in (images, others))

    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("name", MANY)
def test_more_steps_are_never_worse(name, ball, network, unseen):
    images, labels = (t[:200] for t in unseen)

    left = [
        int(standing(network, run(name, network, images, labels, ball=ball, steps=steps), labels).sum())
        for steps in (0, 2, 8, 30)
    ]

    assert left == sorted(left, reverse=True)
    assert left[-1] < left[0]


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_gradients_that_are_exactly_zero_are_no_disaster(name, ball, network, unseen):
    images, labels = (t[:16] for t in unseen)
    masked = lambda pixels: network(images[: len(pixels)] + 0 * pixels)  # noqa: E731

    moved = run(name, masked, images, labels, ball=ball, steps=6)

    assert moved.isfinite().all()
    assert (distances(moved, images, ball) <= ball.radius + 1e-3).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_step_has_its_size_however_small_the_gradient(scale):
    slopes = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * scale
    slopes[0] = 0

    steps = uphill(slopes, Ball("l2", 1.0))

    torch.testing.assert_close(lengths(steps).flatten(), torch.tensor([0.0, 1, 1, 1]))
    assert uphill(slopes, Ball("linf", 1.0))[0].abs().max() == 0


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_a_random_start_fills_the_ball(ball):
    images = torch.full((2000, 1, 2, 2), 127.0)

    far = distances(random_start(images, ball, torch.Generator().manual_seed(0)), images, ball)

    # The share of a ball's volume within half its radius, in four dimensions.
    assert (far < ball.radius / 2).double().mean().item() == pytest.approx(1 / 16, abs=0.02)


@pytest.mark.parametrize("name", [name for name in MANY if name.startswith("apgd")])
def test_what_is_misread_already_costs_nothing_and_is_left_alone(name, network, unseen):
    images, labels = (t[:20] for t in unseen)
    wrong = (labels + 1) % CLASSES
    asked = []

    def logits(pixels):
        asked.append(len(pixels))
        return network(pixels)

    mixed = torch.where(torch.arange(20) < 15, wrong, labels)
    moved = run(name, logits, images, mixed, ball=Ball("linf", 0.5), steps=5)
    misread = ~standing(network, images, mixed)

    assert torch.equal(moved[misread], images[misread])
    assert set(asked) <= {20, *range(21 - int(misread.sum()))}
    assert asked.count(20) <= 5


@pytest.mark.parametrize("name", [name for name in MANY if name.startswith("apgd")])
def test_a_search_goes_on_until_the_margin_is_clear(name, network, unseen):
    images, labels = (t[:60] for t in unseen)

    def margins(moved):
        with torch.no_grad():
            logits = network(moved)
        true = labels[:, None]
        return logits.scatter(1, true, -torch.inf).amax(1) - logits.gather(1, true)[:, 0]

    def found(clear):
        attack = partial(ATTACKS[name], clear=clear)
        moved = attack(
            network, images, labels, ball=BALLS[0], steps=20, generator=torch.Generator().manual_seed(0)
        )
        return margins(moved)

    barely, clearly, utterly = (found(clear) for clear in (0.0, 1.0, torch.inf))
    fallen = barely > 0
    assert fallen.float().mean() > 0.2
    assert (barely[fallen] < 1).any(), "at the first error it stops close to it"
    assert ((clearly > 1) == (utterly > 1)).all(), "who can be misread clearly is"
    assert (clearly > 1).sum() > (barely > 1).sum()
    assert utterly.mean() > clearly.mean()
    assert (utterly >= clearly - 1e-4).all()
    assert (utterly >= barely - 1e-4).all()


@pytest.mark.parametrize("name", [name for name in MANY if name.startswith("apgd")])
def test_what_is_misread_by_little_is_moved_and_what_is_clearly_misread_is_not(name, network, unseen):
    images = unseen[0][:20]
    with torch.no_grad():
        ranked = network(images).topk(2)
    second, gap = ranked.indices[:, 1], ranked.values[:, 0] - ranked.values[:, 1]  # misread by the gap
    clear = float(gap.median())

    moved = partial(ATTACKS[name], clear=clear)(
        network, images, second, ball=Ball("linf", 2.0), steps=4, generator=torch.Generator().manual_seed(0)
    )
    same = (moved == images).flatten(1).all(dim=1)

    assert torch.equal(same, gap > clear)


@pytest.mark.parametrize("name", ["apgd_dlr", "apgd_dlr_targeted"])
def test_a_network_that_is_merely_very_sure_does_not_hide_from_the_ratio(name, network, unseen):
    images, labels = (t[:100] for t in unseen)
    ball = BALLS[0]
    sure = lambda pixels: 3e3 * network(pixels)  # noqa: E731

    def left(attack, logits):
        return int(standing(network, run(attack, logits, images, labels, ball=ball), labels).sum())

    assert left("pgd", sure) > left("pgd", network) + 10, "cross-entropy has no slope there"
    assert left(name, sure) <= left(name, network) + 1


def test_the_ratios_are_those_of_the_paper():
    answers = torch.tensor([[4.0, 1.0, 3.0, 0.0, 2.0]])
    labels, rows = torch.tensor([2]), torch.tensor([0])

    assert dlr._away(labels, answers, rows).item() == pytest.approx((4 - 3) / (4 - 2))
    assert dlr._towards(labels, torch.tensor([4]), answers, rows).item() == pytest.approx(
        (2 - 3) / (4 - (2 + 1) / 2)
    )
    assert dlr._away(labels, answers[:, :3], rows).item() == pytest.approx(4 - 3)


@pytest.mark.parametrize("classes", [2, 3])
def test_with_few_classes_the_margin_is_followed(classes, unseen):
    images, labels = unseen
    weights = torch.randn(classes, 3 * SIZE * SIZE, generator=torch.Generator().manual_seed(0))
    logits = lambda pixels: (pixels - 127).flatten(1) @ weights.T / 255  # noqa: E731
    labels = logits(images).argmax(1)

    for name in ("apgd_dlr", "apgd_dlr_targeted"):
        moved = run(name, logits, images, labels, ball=Ball("linf", 8.0))
        assert moved.isfinite().all()
        assert standing(logits, moved, labels).float().mean() < 0.3


def test_what_makes_no_sense_is_refused(network, unseen):
    images, labels = (t[:2] for t in unseen)

    with pytest.raises(UsageError, match="one step"):
        ATTACKS["fgsm"](network, images, labels, ball=BALLS[0], steps=3)
    with pytest.raises(UsageError, match="targets"):
        ATTACKS["apgd_dlr"](
            network, images, labels, ball=BALLS[0], steps=3, generator=torch.Generator(), targets=-1
        )


@given(steps=st.integers(1, 300))
def test_checkpoints_come_ever_closer_and_end_in_time(steps):
    places = checkpoints(steps)

    assert places == sorted(set(places))
    assert all(1 <= place <= steps for place in places)
    if steps == 100:
        assert places == [22, 41, 57, 70, 80, 87, 93, 99]
