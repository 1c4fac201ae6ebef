"""certified.bounds: nothing a network answers in a box leaves the bounds, and linear networks have exact ones."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from foveal.certified.bounds import rules
from foveal.certified.bounds.linf import certified_linf, picture_box
from foveal.certified.bounds.margins import lower_margins
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.models.nano import nano
from foveal.models.resnet18 import resnet18
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


@settings(max_examples=10, phases=(Phase.explicit, Phase.generate))  # each one is traced: slow to shrink
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
        pytest.param(partial(resnet18, stem_stride=4), id="resnet18", marks=pytest.mark.slow),
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


def without_signs(rule):
    """A convolution whose boxes are as wide as the weights with their signs make them."""

    def broken(step, given):
        right = rule(step, given)
        return rules.Affine(right.value, lambda r: right.value(r).abs() * 0.3, right.shift, right.terms)

    return broken


def shrunken_lines(rule):
    def broken(step, given):
        right = rule(step, given)
        lines = right.relaxed

        def wrong(box, rows):
            entering, constant = lines(box, rows)
            return entering, constant * 0.2

        return rules.Monotone(right.value, wrong)

    return broken


def upside_down(rule):
    return lambda step, given: rules.Monotone(lambda x: -rule(step, given).value(-x))


def forgetful(rule):
    return lambda step, given: rules.Sum(0.0) if len(step.inputs) == 2 else rule(step, given)


@pytest.mark.parametrize(
    ("operation", "plant", "method", "pool"),
    [
        ("conv2d.default", without_signs, "interval", "none"),
        ("_native_batch_norm_legit_no_training.default", without_signs, "interval", "none"),
        ("mul.Tensor", without_signs, "interval", "none"),
        ("avg_pool2d.default", without_signs, "interval", "average"),
        ("max_pool2d.default", upside_down, "interval", "maximum"),
        ("add.Tensor", forgetful, "interval", "none"),
        ("relu.default", shrunken_lines, "crown", "none"),
    ],
)
def test_a_planted_error_in_a_rule_is_seen(monkeypatch, operation, plant, method, pool):
    packet, overload = operation.split(".")
    key = getattr(getattr(torch.ops.aten, packet), overload)
    net = network(1, pool=pool, end="flatten", groups=1, stride=1)
    if method == "crown":  # whose lines reach the logits: nothing but ReLU and sums
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(147, 6), nn.ReLU(), nn.Linear(6, 3)
        ).eval()

    assert not leaves(net, 0.3, method)
    monkeypatch.setitem(rules.RULES, key, plant(rules.RULES[key]))
    assert leaves(net, 0.3, method)


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
    middle = torch.randn(1, 2, 2, 2)
    reach = 1e-4

    bounds = lower_margins(net, middle - reach, middle + reach, torch.tensor([0]), method="crown")

    def margin(x, other):
        logits = net(x)[0]
        return logits[0] - logits[other]

    for other in (1, 2):
        value = margin(middle, other)
        slope = torch.autograd.functional.jacobian(lambda x, other=other: margin(x, other), middle)
        exact = float(value) - reach * float(slope.abs().sum())
        assert bounds[0, other] == pytest.approx(exact, abs=2e-5)


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


def test_what_looks_at_other_pictures_is_refused():
    box = torch.zeros(2, 2, 2, 2)

    with pytest.raises(UsageError, match="batch"):
        lower_margins(OverTheBatch(), box, box, torch.tensor([0, 1]))


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
    images = rng.integers(100, 156, (30, 8, 8, 3), dtype=np.uint8)
    labels = recognizer.logits(images).argmax(1)
    exact = exact_radii(recognizer, images, labels)

    assert exact.min() > 0
    for one, label, radius in zip(images[:, None], labels[:, None], exact, strict=True):
        assert not certified_linf(recognizer, one, label, radius=radius * 1.0001, method=method)[0]
        assert certified_linf(recognizer, one, label, radius=max(0, radius * 0.999 - 0.02), method=method)[0]


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
    images = rng.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    labels = recognizer.logits(images).argmax(1)

    for radius in (1, 2, 8):
        proven = certified_linf(recognizer, images, labels, radius=radius, method="crown")
        moves = rng.integers(-radius, radius + 1, (300, 16, 16, 3))
        moves[::2] = rng.choice([-radius, radius], (150, 16, 16, 3))
        for image, label in zip(images[proven], labels[proven], strict=True):
            moved = (image + moves).clip(0, 255).astype(np.uint8)
            assert (recognizer.logits(moved).argmax(1) == label).all()
    assert certified_linf(recognizer, images, labels, radius=0.1).any()
