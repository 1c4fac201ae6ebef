"""What every family can do after a few steps of training: be saved, exported, pruned and rounded."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from foveal import models
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core.errors import BundleError
from foveal.export.graph import graph
from foveal.models._cost import macs
from foveal.models._trace import UNCOUNTED
from foveal.optimize.channels import groups
from foveal.optimize.shapes import shapes
from foveal.optimize.steps.prune import prune
from foveal.optimize.steps.quantize import quantize
from foveal.tasks import recognizer as recognizers

FAMILIES = [
    "alexnet", "convnext_atto", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mobilenet_v2",
    "mobilenet_v3_small", "nano", "plain20", "resnet20", "resnet18", "shufflenet_v2_x0_5", "small_conv",
    "swin_tiny", "timm:test_resnet", "timm:test_vit", "vgg11_bn", "vit_tiny", "efficientnet_lite0", "row_gru",
    "row_lstm_both", "spiking_cnn", "v4_lif",
]  # fmt: skip
# Most of their weights are in layers over channels, which stay in float: int8 says so and is refused.
IN_FLOAT = {"convnext_atto", "row_gru", "row_lstm_both", "swin_tiny", "timm:test_vit", "vit_tiny"}
QUICK = {"nano", "timm:test_resnet"}
# A minute or more each: many layers, or very many weights.
LARGE = {
    "alexnet", "convnext_atto", "densenet121", "efficientnet_b0", "efficientnet_lite0", "googlenet",
    "inception_v3", "resnet18", "swin_tiny", "vgg11_bn",
}  # fmt: skip


def case(name):
    if name in QUICK:
        return name
    return pytest.param(name, marks=pytest.mark.families if name in LARGE else pytest.mark.slow)


CASES = [case(name) for name in FAMILIES]
STEPS = 40  # of 32 pictures: 20 passes over 64
# Without a norm after each layer, without shortcuts, with depthwise or very many layers: more slowly.
MORE_STEPS = {
    "alexnet": 100, "efficientnet_b0": 100, "efficientnet_lite0": 100, "mobilenet_v2": 60,
    "googlenet": 100, "mobilenet_v3_small": 60, "plain20": 300, "small_conv": 100,
    "timm:test_vit": 80,
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def name(request):
    """Every family in turn: all tests of one run before the next is trained."""
    return request.param


@pytest.fixture(scope="module")
def made(name, train):
    """Train a member on the 64 pictures `known`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    steps = MORE_STEPS.get(name, STEPS)
    yield train(name, images=64, steps=steps, label_smoothing=0.0)[2]
    torch.set_num_threads(threads)


def probabilities(recognizer, images):
    logits = recognizer.logits(images).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def answers(model, images, batch):
    session = onnxruntime(model, threads=1)
    return np.concatenate([session.run(images[i : i + batch])[0] for i in range(0, len(images), batch)])


def test_what_ships_knows_64_pictures_by_heart(made, known):
    images, labels = known

    shares = probabilities(made, images)[np.arange(len(labels)), labels]

    assert shares.min() > 0.5


def test_a_trained_member_is_saved_exported_pruned_and_rounded(name, made, pictures, tmp_path):
    wanted = probabilities(made, pictures)
    assert np.ptp(wanted, axis=0).max() > 0.02, "an untrained network would agree with anything"

    recognizers.save(made, tmp_path)
    same(recognizers.load(tmp_path), made, pictures)

    model = graph(made)
    for batch in (1, 3):
        assert abs(answers(model, pictures[:6], batch) - wanted[:6]).max() <= 1e-4, batch

    if name in IN_FLOAT:
        with pytest.raises(BundleError, match="not those of layers that see many vectors of a picture"):
            quantize(model, pictures)
    else:
        check_rounded(model, pictures, wanted)
    check_pruned(made, pictures, tmp_path / "pruned")


def check_rounded(model, pictures, wanted):
    rounded = quantize(model, pictures)
    assert len(rounded) < 0.45 * len(model)
    flips = answers(rounded, pictures, 16).argmax(axis=1) != wanted.argmax(axis=1)
    assert flips.mean() <= 0.25, "trained for a few steps, it is hardly sure of anything"


def same(one, other, pictures):
    """Compare answers; filters that lie in another order in memory are added up in another one."""
    np.testing.assert_allclose(one.logits(pictures[:3]), other.logits(pictures[:3]), atol=1e-4)


def check_pruned(made, pictures, folder):
    size = made.preprocess.size
    whole = macs(made.network, made.blank)
    pruned = prune(made, 0.5)
    if not groups(made.network, channels=3, size=size):
        assert macs(pruned.network, pruned.blank) == whole, "nothing may go, and nothing went"
        return
    assert macs(pruned.network, pruned.blank) < 0.9 * whole
    recognizers.save(pruned, folder)
    same(recognizers.load(folder), pruned, pictures)
    wanted = probabilities(pruned, pictures[:6])
    assert abs(answers(graph(pruned), pictures[:6], 3) - wanted).max() <= 1e-4


def test_the_shapes_of_its_layers_account_for_its_work(name):
    """Of products, those of two maps, in attention, are no layers."""
    architecture = models.architecture(name)
    size = max(32, architecture.smallest_size)
    network = architecture(channels=3, classes=6, size=size).eval()

    seen = sum(shape.macs for shape in shapes(network, channels=3, size=size))

    counter = FlopCounterMode(display=False, custom_mapping=UNCOUNTED)
    with sdpa_kernel(SDPBackend.MATH), counter, torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    flops = counter.get_flop_counts()["Global"]
    assert 2 * seen == sum(flops.values()) - flops.get(torch.ops.aten.bmm, 0)
