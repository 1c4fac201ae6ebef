"""certified.bounds: no answer in a box leaves its bounds, and those of linear networks are exact."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from foveal.certified.bounds import rules
from foveal.certified.bounds.box import Box
from foveal.certified.bounds.graph import traced
from foveal.certified.bounds.linf import APART, certified_linf, picture_box
from foveal.certified.bounds.margins import FLOAT32, lower_margins, propagated
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.models.nano import nano
from foveal.models.resnet import resnet
from foveal.models.small_conv import small_conv
from foveal.tasks.recognizer import Recognizer

SIZE = 9
ENDS = ("amax", "mean", "flatten", "average", "adaptive")
POOLS = ("maximum", "average", "none")


class Residual(nn.Module):
    """A random small network with everything that has a rule."""

    def __init__(self, *, pool: str, end: str, groups: int, stride: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2, 4, 3, stride=stride, padding=1, groups=groups)
        self.norm = nn.BatchNorm2d(4)
        self.inside = nn.Conv2d(4, 4, 3, padding="same", bias=False)
        self.pool = {
            "maximum": nn.MaxPool2d(2, padding=1),
            "average": nn.AvgPool2d(2),
            "none": nn.Identity(),
        }[pool]
        self.end = end
        self.drop = nn.Dropout(0.5)
        with torch.no_grad():
            width = self.features(torch.zeros(1, 2, SIZE, SIZE)).shape[1]
        self.head = nn.Linear(width, 3)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(F.relu_(self.norm(self.enter(x)) + 0.1))
        x = F.relu6(x - 0.5 * self.inside(x)) + x
        if self.end == "amax":
            return x.amax(dim=(2, 3))
        if self.end == "mean":
            return x.mean(dim=(-2, -1))
        if self.end == "average":
            return F.avg_pool2d(x, 2).flatten(1)
        return (F.adaptive_avg_pool2d(x, 1) if self.end == "adaptive" else x).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * self.head(self.drop(self.features(x))) / 8


def network(seed: int, **how) -> Residual:
    torch.manual_seed(seed)
    made = Residual(**how)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
        made.norm.running_mean.normal_()
        made.norm.running_var.uniform_(0.2, 3)
    return made.eval()


def points(low: torch.Tensor, high: torch.Tensor, count: int) -> torch.Tensor:
    """Random points of one box, half of them corners, float32."""
    shares = torch.rand(count, *low.shape[1:])
    shares[::2] = shares[::2].round()
    return (low + shares * (high - low)).float().maximum(low).minimum(high)


def leaves(net: nn.Module, reach: float, method: str, count: int = 1000) -> bool:
    """Whether any answer in a box, as float32 computes it, is outside of its bounds."""
    middle = torch.randn(1, 2, SIZE, SIZE)
    low, high = middle - reach, middle + reach
    boxes = (low.repeat(3, 1, 1, 1), high.repeat(3, 1, 1, 1))
    bounds = lower_margins(net, *boxes, torch.arange(3), method=method)
    with torch.no_grad():
        logits = net(points(low, high, count)).double()
    return bool((logits[:, :, None] - logits[:, None] < bounds).any())


@settings(max_examples=6, phases=(Phase.explicit, Phase.generate))  # each one is traced: slow to shrink
@given(
    seed=st.integers(0, 10**6),
    pool=st.sampled_from(POOLS),
    end=st.sampled_from(ENDS),
    groups=st.sampled_from([1, 2]),
    stride=st.sampled_from([1, 2]),
    reach=st.sampled_from([0.0, 1e-6, 0.01, 0.3]),
    method=st.sampled_from(["interval", "crown"]),
)
def test_no_answer_leaves_its_bounds(seed, pool, end, groups, stride, reach, method):
    assert not leaves(network(seed, pool=pool, end=end, groups=groups, stride=stride), reach, method, 10_000)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(partial(nano, widths=(4, 6, 8)), id="nano"),
        pytest.param(partial(small_conv, width=4), id="small_conv"),
        pytest.param(partial(resnet, depth=18, stem_stride=4), id="resnet18", marks=pytest.mark.slow),
    ],
)
def test_no_answer_of_a_real_architecture_leaves_its_bounds(build):
    torch.manual_seed(0)
    net = build(channels=3, classes=4, size=32).eval()
    middle = torch.randn(1, 3, 32, 32)
    low, high = middle - 0.01, middle + 0.01

    bounds = lower_margins(net, low, high, torch.tensor([1]), method="crown")

    with torch.no_grad():
        logits = net(points(low, high, 200)).double()
    assert (logits[:, [1]] - logits >= bounds).all()


def test_bounds_of_a_single_picture_are_as_tight_as_float32_computes():
    net = network(3, pool="maximum", end="mean", groups=1, stride=1)
    picture = torch.randn(5, 2, SIZE, SIZE)
    with torch.no_grad():
        logits = net(picture).double()

    for method in ("interval", "crown"):
        bounds = lower_margins(net, picture, picture, torch.zeros(5, dtype=torch.int64), method=method)
        gap = (logits[:, [0]] - logits) - bounds
        assert (gap >= 0).all()
        assert gap[:, 1:].max() < 1e-3 * logits.abs().max()
        assert (bounds[:, 0] == 0).all()


class Only(nn.Module):
    """A network of little more than one operation."""

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.run, self.layers = run, nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.run(x)


def same(x: torch.Tensor) -> torch.Tensor:
    return x


def batch_norm() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.5, -0.7]))
        layer.bias.normal_()
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.2, 3)
    return layer


OPERATIONS = {
    "conv2d": Only(same, nn.Conv2d(2, 3, 2)),
    "conv2d strided": Only(same, nn.Conv2d(2, 4, 2, stride=2, padding=1, groups=2, bias=False)),
    "conv2d same": Only(same, nn.Conv2d(2, 3, 3, padding="same")),
    "linear": Only(same, nn.Flatten(), nn.Linear(8, 3)),
    "batch_norm": Only(same, batch_norm()),
    "add constant": Only(lambda x: 2 - (x - 0.3)),
    "add": Only(lambda x: torch.add(x, x.relu(), alpha=2)),
    "scale": Only(lambda x: x * -3 / 8),
    "mean": Only(lambda x: x.mean(dim=(-1, -2))),
    "avg_pool": Only(lambda x: F.avg_pool2d(x, 2, stride=1, padding=1)),
    "adaptive": Only(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "view": Only(lambda x: x.flatten(1)),
    "relu": Only(F.relu),
    "relu6": Only(lambda x: F.relu6(9 * x)),
    "clamp": Only(lambda x: F.hardtanh(x.clamp(min=-0.4), -0.3, 0.2)),
    "max_pool": Only(lambda x: F.max_pool2d(x, 2, stride=1, padding=1)),
    "amax": Only(lambda x: x.amax(dim=(2, 3))),
}


def box_is_the_range(net: nn.Module) -> bool:
    """Whether the box behind a network is what it makes of the corners of the box before, and no more.

    Of functions that are affine or monotone, the corners are the extremes.
    """
    low = torch.linspace(-1, 0.5, 8, dtype=torch.float64).view(1, 2, 2, 2)
    high = low + torch.linspace(0.3, 1.2, 8, dtype=torch.float64).flip(0).view(1, 2, 2, 2)
    graph = traced(net, (2, 2, 2))
    weights = graph.weights(net, torch.float64)
    with torch.no_grad():
        box = propagated(graph, weights, Box(low, high), unit=FLOAT32).boxes[graph.output]
        shares = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 8).view(-1, 2, 2, 2)
        corners = net.double()(low + shares * (high - low))
    net.float()
    least, most = corners.amin(0, keepdim=True), corners.amax(0, keepdim=True)
    slack = 1e-4 * (1 + most.abs().max())
    inside = (box.low <= least) & (most <= box.high)
    return bool((inside & (box.low > least - slack) & (box.high < most + slack)).all())


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_operation_has_exactly_its_range(name):
    assert box_is_the_range(OPERATIONS[name].eval())


def without_signs(rule):
    def broken(step, given):
        right = rule(step, given)
        return rules.Affine(right.value, lambda r: right.value(r).abs(), right.shift, right.terms)

    return broken


def without_slack(rule):
    def broken(step, given):
        right = rule(step, given)
        return rules.Affine(right.value, lambda r: right.absolute(r) * 0.999, right.shift, right.terms)

    return broken


def upside_down(rule):
    return lambda step, given: rules.Monotone(lambda x: -rule(step, given).value(-x))


def forgetful(rule):
    return lambda step, given: rules.Sum(1.0)


@pytest.mark.parametrize(
    ("name", "operation", "plant"),
    [
        ("conv2d", "conv2d.default", without_signs),
        ("conv2d", "conv2d.default", without_slack),
        ("linear", "linear.default", without_signs),
        ("batch_norm", "_native_batch_norm_legit_no_training.default", without_signs),
        ("scale", "mul.Tensor", without_slack),
        ("max_pool", "max_pool2d.default", upside_down),
        ("add", "add.Tensor", forgetful),
    ],
)
def test_a_planted_error_in_a_rule_is_seen(monkeypatch, name, operation, plant):
    packet, overload = operation.split(".")
    key = getattr(getattr(torch.ops.aten, packet), overload)

    monkeypatch.setitem(rules.RULES, key, plant(rules.RULES[key]))

    assert not box_is_the_range(OPERATIONS[name].eval())


@pytest.mark.parametrize("name", ["relu.default", "max_pool2d.default", "amax.default"])
def test_lines_lie_below_what_they_bound(name):
    """Lines that lie a little higher would not: they are no lower than they must be."""
    net = OPERATIONS[{"relu.default": "relu", "max_pool2d.default": "max_pool", "amax.default": "amax"}[name]]
    graph = traced(net, (2, 2, 2))
    what = rules.kind(graph.steps[-1], {})
    torch.manual_seed(0)
    low = torch.randn(1, 2, 2, 2, dtype=torch.float64)
    high = low + torch.rand(1, 2, 2, 2, dtype=torch.float64) * 2
    x = low + torch.rand(2000, 2, 2, 2, dtype=torch.float64).mul(1.2).sub(0.1).clamp(0, 1) * (high - low)
    above = what.value(x).flatten(1)
    rows = torch.randn(1, 20, *what.value(low).shape[1:], dtype=torch.float64)

    entering, constant = what.relaxed(Box(low, high), rows)
    exact = above @ rows[0].flatten(1).T
    lines = x.flatten(1) @ entering[0].flatten(1).T + constant

    assert (lines <= exact + 1e-12).all()
    assert (lines + 0.3 * (constant - constant.mean()).abs().mean() + 0.05 > exact).any()


def test_lines_back_to_the_picture_prove_more_than_boxes():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 3)
    )
    middle, labels = torch.randn(20, 2, 2, 2), torch.zeros(20, dtype=torch.int64)
    boxes = (net, middle - 0.05, middle + 0.05, labels)

    crown, interval = lower_margins(*boxes, method="crown"), lower_margins(*boxes)

    assert (crown >= interval).all()
    assert (crown[:, 1:] > interval[:, 1:]).float().mean() > 0.9


def test_where_no_relu_can_switch_lines_are_exact():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 3))
    with torch.no_grad():
        net[1].bias.copy_(torch.tensor([9.0, -9.0]).repeat(15))  # half of them on, half off, wherever x is
    middle, reach = torch.randn(1, 2, 2, 2), 0.1

    bounds = lower_margins(net, middle - reach, middle + reach, torch.tensor([0]), method="crown")

    def margin(x, other):
        logits = net(x)[0]
        return logits[0] - logits[other]

    for other in (1, 2):
        slope = torch.autograd.functional.jacobian(lambda x, other=other: margin(x, other), middle)
        exact = float(margin(middle, other).detach()) - reach * float(slope.abs().sum())
        assert exact - 1e-3 < bounds[0, other] < exact + 1e-5


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(8, 3), nn.Sigmoid()),
        nn.Sequential(nn.Flatten(), nn.Softmax(dim=1)),
    ],
    ids=["sigmoid", "softmax"],
)
def test_an_operation_without_a_rule_is_refused_by_name(net):
    box = torch.zeros(1, 2, 2, 2)

    with pytest.raises(UsageError, match="aten") as caught:
        lower_margins(net, box, box, torch.tensor([0]))

    assert caught.value.code == "no_bounds"


class OverTheBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) - x.flatten(1).mean(dim=0, keepdim=True)


class Mixing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(-1, 4)


@pytest.mark.parametrize("net", [OverTheBatch(), Mixing()], ids=["mean", "view"])
def test_what_looks_at_other_pictures_is_refused(net):
    box = torch.zeros(2, 2, 2, 2)

    with pytest.raises(UsageError, match=r"batch|mixes") as caught:
        lower_margins(net, box, box, torch.tensor([0, 1]))

    assert caught.value.code == "no_bounds"


def test_an_empty_box_is_refused():
    box = torch.zeros(1, 2, 2, 2)

    with pytest.raises(UsageError, match="low ≤ high"):
        lower_margins(nn.Flatten(), box + 1, box, torch.tensor([0]))


PREPROCESS = Preprocess(size=8, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def linear(seed: int) -> Recognizer:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 3, 4)).eval()
    return Recognizer(net, "linear", {}, PREPROCESS, ("a", "b", "c", "d"))


def exact_radii(recognizer: Recognizer, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The largest radius in grey levels without an error, where no pixel meets 0 or 255, in float64."""
    layer = recognizer.network[1]
    weight = layer.weight.detach().double().numpy().reshape(4, 3, 8, 8)
    std = np.array(PREPROCESS.std)[:, None, None]
    normal = ((images / 255 - PREPROCESS.mean) / PREPROCESS.std).transpose(0, 3, 1, 2)
    logits = np.einsum("kchw,nchw->nk", weight, normal) + layer.bias.detach().double().numpy()
    apart = logits[np.arange(len(labels)), labels][:, None] - logits
    slope = np.abs((weight[labels][:, None] - weight) / (255 * std)).sum(axis=(2, 3, 4))
    return np.where(slope > 0, apart / np.maximum(slope, 1e-30), np.inf).min(axis=1)


@pytest.mark.parametrize("method", ["interval", "crown"])
def test_a_linear_recognizer_is_certified_up_to_its_exact_radius_and_never_further(method):
    recognizer, rng = linear(0), np.random.default_rng(0)
    images = rng.integers(100, 156, (40, 8, 8, 3), dtype=np.uint8)
    labels = recognizer.logits(images).argmax(1)
    exact = exact_radii(recognizer, images, labels)

    def proven(radii: np.ndarray) -> np.ndarray:
        box = picture_box(images, torch.from_numpy(radii)[:, None, None, None], PREPROCESS)
        found = lower_margins(recognizer.network, box.low, box.high, torch.from_numpy(labels), method=method)
        return ((found > 0) | (torch.arange(4) == torch.from_numpy(labels)[:, None])).all(1).numpy()

    assert 0 < exact.min() < exact.max() < 100
    assert not proven(exact * 1.00001).any()
    assert proven((exact * 0.999 - 0.001).clip(min=0))[exact > 0.001].all()
    median = float(np.median(exact))
    assert (
        certified_linf(recognizer, images, labels, radius=median, method=method) <= (exact > median)
    ).all()
    assert certified_linf(recognizer, images, labels, radius=median - 0.1, method=method)[
        exact > median
    ].all()


def test_a_wrong_answer_is_never_certified_and_no_pixel_leaves_the_range():
    recognizer, rng = linear(1), np.random.default_rng(1)
    images = rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    labels = recognizer.logits(images).argmax(1)

    assert not certified_linf(recognizer, images, (labels + 1) % 4, radius=0).any()
    assert certified_linf(recognizer, images, labels, radius=0).mean() > 0.9
    assert certified_linf(recognizer, images[:0], labels[:0], radius=1).shape == (0,)
    everything = picture_box(images[:1], 1000, PREPROCESS)
    low = (0 - np.array(PREPROCESS.mean)) / PREPROCESS.std
    high = (1 - np.array(PREPROCESS.mean)) / PREPROCESS.std
    np.testing.assert_allclose(everything.low[0, :, 0, 0], low, rtol=1e-5)
    np.testing.assert_allclose(everything.high[0, :, 0, 0], high, rtol=1e-5)
    with pytest.raises(UsageError):
        certified_linf(recognizer, images, labels, radius=-1)


def test_what_is_certified_survives_every_attempt():
    torch.manual_seed(2)
    net = small_conv(channels=3, classes=4, size=16, width=4).eval()
    preprocess = PREPROCESS.model_copy(update={"size": 16})
    recognizer = Recognizer(net, "small_conv", {}, preprocess, ("a", "b", "c", "d"))
    rng = np.random.default_rng(2)
    images, labels, radius = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8), np.zeros(20, np.int64), 4
    box = picture_box(images, radius, preprocess)
    margins = lower_margins(net, box.low, box.high, torch.from_numpy(labels), method="crown")[:, 1:].amin(1)
    with torch.no_grad():  # so that about half of them can just be proven
        net.head.bias[0] -= margins.median() - APART

    proven = certified_linf(recognizer, images, labels, radius=radius, method="crown")

    assert 0.3 < proven.mean() < 0.7
    moves = rng.integers(-radius, radius + 1, (300, 16, 16, 3))
    moves[::2] = rng.choice([-radius, radius], (150, 16, 16, 3))
    for image in images[proven]:
        moved = (image + moves).clip(0, 255).astype(np.uint8)
        assert (recognizer.logits(moved).argmax(1) == 0).all()
