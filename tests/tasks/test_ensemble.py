"""tasks.ensemble and tasks.dropout_masks: the mean of what members answer, in torch and in the file."""

from hashlib import sha256

import numpy as np
import pytest
import torch
from torch import nn

from foveal.bundle import archive
from foveal.bundle.manifest import Data, Images
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.data.preprocess import Preprocess
from foveal.export.lowering import lowered
from foveal.export.sealing import Origin, bundle
from foveal.models.mobilenet_v2 import mobilenet_v2
from foveal.models.nano import nano
from foveal.optimize.rounding import rounded
from foveal.tasks.dropout_masks import dropout_masks
from foveal.tasks.ensemble import ensemble
from foveal.tasks.recognizer import Recognizer, weights_bytes
from foveal.train.examples import Examples

CLASSES = ("red", "green", "blue")
ORIGIN = Origin(Data(fingerprint="0" * 64, split_seed=3, images=Images(fit=0, calib=60, test=0)))


def small_nano(**arguments):
    return nano(widths=(8, 16, 32), **arguments)


def member(seed, *, size=16, build=small_nano, classes=CLASSES, mean=0.4):
    """Return a network that was not trained, and yet is sure: parity on flat answers would prove nothing."""
    torch.manual_seed(seed)
    network = build(channels=3, classes=len(classes), size=size).eval()
    preprocess = Preprocess(size=size, channels=3, mean=(mean,) * 3, std=(0.2, 0.25, 0.3))
    recognizer = Recognizer(network, "nano", {}, preprocess, classes)
    images = examples(30, size).images
    logits = recognizer.logits(images)
    last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.add_(1)
        felt = float((recognizer.logits(images) - logits).mean())  # nano divides by 8 afterwards
        last.bias.sub_(1 + torch.from_numpy(logits.mean(axis=0)) / felt)
        factor = 2 / float(logits.std(axis=0).mean())
        last.weight.mul_(factor)
        last.bias.mul_(factor)
    return recognizer


def examples(count, size=16):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 200, (count, size, size, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 40
    return Examples(images, labels, np.arange(count))


def softmax(logits):
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def by_hand(members, images):
    return np.mean([softmax(one.logits(images)) for one in members], axis=0)


def test_an_ensemble_answers_the_mean_probability_of_members_each_with_its_own_normalization():
    members = [member(0), member(1, mean=0.5), member(2, mean=0.1)]
    images = examples(40).images

    mean = by_hand(members, images)

    assert np.ptp(mean, axis=1).max() > 0.05, "not flat"
    np.testing.assert_allclose(softmax(ensemble(members).logits(images)), mean, atol=1e-5)


@pytest.fixture(scope="module")
def members():
    return [member(seed, mean=0.3 + seed / 10) for seed in range(2)]


@pytest.fixture(scope="module", params=["ensemble", "dropout_masks"])
def exported(request, members, tmp_path_factory):
    """Return a recognizer of several answers, and the export of it."""
    made = ensemble(members) if request.param == "ensemble" else dropout_masks(members[0], share=0.2, masks=4)
    path = tmp_path_factory.mktemp("several") / "several.foveal"
    return made, bundle(made, path, calib=examples(60), origin=ORIGIN)


def test_the_bundle_answers_as_all_together_and_says_what_it_is(exported, members):
    recognizer, result = exported
    predictor, images = Predictor.open(result.bundle), examples(60).images

    found, mean = predictor.run(images), softmax(recognizer.logits(images))

    assert result.parity.max_abs_difference < 1e-5
    np.testing.assert_allclose(softmax(found.logits), mean, atol=1e-5)
    np.testing.assert_allclose(
        found.probabilities, softmax(np.log(mean) / predictor.manifest.temperature), atol=1e-5
    )
    assert predictor.manifest.weights_sha256 == sha256(weights_bytes(recognizer)).hexdigest()
    assert predictor.manifest.model.name == recognizer.architecture
    if recognizer.architecture == "ensemble":
        np.testing.assert_allclose(mean, by_hand(members, images), atol=1e-5)
        alone = [sum(p.numel() for p in m.network.parameters()) for m in members]
        assert predictor.manifest.model.parameters == sum(alone)


def test_in_int8_it_decides_almost_alike(exported, tmp_path):
    source, calib = exported[1].bundle, examples(60)
    before = archive.read(source)

    lowering = rounded(before.model, calib.images, "int8")
    lowered(before, lowering, tmp_path / "i.foveal", calib=calib, threads=1)

    small = Predictor.open(tmp_path / "i.foveal")
    assert small.manifest.model.precision == "int8"
    exact = softmax(Predictor.open(source).run(calib.images).logits)
    np.testing.assert_allclose(softmax(small.run(calib.images).logits), exact, atol=0.1)


@pytest.mark.parametrize("build", [small_nano, mobilenet_v2])
def test_masks_are_the_mean_over_networks_without_those_features(build):
    recognizer = member(0, size=32, build=build)
    images = examples(12, 32).images
    share, masks = 0.3, 5

    found = softmax(dropout_masks(recognizer, share=share, masks=masks, seed=2).logits(images))

    # The oracle: a hook that leaves features out of the plain network.
    layer = [m for m in recognizer.network.modules() if isinstance(m, nn.Linear)][-1]
    kept = stream(2, "dropout_masks").random((masks, layer.in_features)) >= share
    answers = []
    for mask in kept:
        factor = torch.from_numpy(mask).float() / (1 - share)
        hook = layer.register_forward_pre_hook(lambda _, given, f=factor: (given[0] * f,))
        answers.append(softmax(recognizer.logits(images)))
        hook.remove()
    np.testing.assert_allclose(found, np.mean(answers, axis=0), atol=1e-5)
    assert np.ptp(answers, axis=0).max() > 1e-3, "masks matter"
    plain = softmax(recognizer.logits(images))
    assert np.abs(found - plain).max() > 1e-4
    np.testing.assert_allclose(softmax(recognizer.logits(images)), plain, atol=0, err_msg="left alone")


def test_equal_seeds_leave_out_equal_features_and_others_others():
    recognizer, images = member(0), examples(5).images

    answers = [
        dropout_masks(recognizer, share=0.5, masks=3, seed=seed).logits(images).tobytes()
        for seed in (0, 0, 1)
    ]

    assert answers[0] == answers[1] != answers[2]


class Convolved(nn.Module):
    """Ends in a convolution."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(3, 3, 1)

    def forward(self, images):
        return self.last(images).mean(dim=(2, 3))


class Mixed(nn.Module):
    """Mixes the logits of its last linear layer."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3, 3)

    def forward(self, images):
        return self.last(images.mean(dim=(2, 3))).softmax(dim=1) * 9


@pytest.mark.parametrize("network", [Convolved(), Mixed()])
def test_a_network_that_does_not_end_in_a_linear_layer_gets_no_masks(network):
    recognizer = Recognizer(network.eval(), "own", {}, member(0).preprocess, CLASSES)

    with pytest.raises(UsageError) as caught:
        dropout_masks(recognizer, share=0.2, masks=8)
    assert caught.value.code == "no_last_layer"


@pytest.mark.parametrize(("share", "masks"), [(0, 8), (1, 8), (0.2, 1), (0.2, 999)])
def test_numbers_that_make_no_sense_are_refused(share, masks):
    with pytest.raises(UsageError, match="under 2 to 256 masks"):
        dropout_masks(member(0), share=share, masks=masks)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (member(1, classes=("red", "blue", "green")), "other classes"),
        (member(1, size=32), "32 × 32 × 3, the first of 16 × 16 × 3"),
    ],
)
def test_members_that_answer_another_question_are_refused(other, message):
    with pytest.raises(UsageError, match=message) as caught:
        ensemble([member(0), other])
    assert caught.value.code == "members_differ"


def test_one_member_is_no_ensemble():
    with pytest.raises(UsageError, match="two members or more"):
        ensemble([member(0)])
