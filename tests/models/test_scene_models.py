"""models.detectors, segmenters and defects: what every network answers that says where something is."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from foveal import models
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.models import defects, detectors, segmenters
from foveal.models._cost import macs
from foveal.models._dense import Dense
from foveal.models._features import LITE, MOBILE, Features, Mobile, classifier_maps
from foveal.train.scenes.learning import teaching

SIDES = [(64, 96), (32, 32), (96, 64)]
SEGMENTERS = catalog.names(segmenters)
DEFECTS = catalog.names(defects)
# What its weights say how to build, test_rt_detr has.
BUILT = [name for name in models.scene_names() if models.architecture(name).reads is None]
DETECTORS = [name for name in catalog.names(detectors) if name in BUILT]


def pictures(sides, channels: int = 3, count: int = 2) -> torch.Tensor:
    return torch.randn(count, channels, *sides, generator=torch.Generator().manual_seed(0))


def test_all_of_them_are_listed_and_known_by_name() -> None:
    assert models.scene_names() == [*catalog.names(detectors), *SEGMENTERS, *DEFECTS]
    assert set(models.scene_names()).isdisjoint(models.names())
    for name in models.scene_names():
        assert models.architecture(name).task == models.card(name).task
        assert models.is_known(name)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("sides", SIDES)
def test_a_detector_offers_boxes_and_logits_for_every_place(name: str, sides) -> None:
    network = models.architecture(name).build(channels=3, classes=5, size=list(sides)).eval()

    with torch.no_grad():
        boxes, logits = network.candidates(pictures(sides))

    assert boxes.shape == (*logits.shape[:2], 4)
    assert logits.shape[2] == 5
    assert bool((boxes[..., 2:] >= boxes[..., :2]).all())
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize("name", [one for one in models.scene_names() if models.architecture(one).learns])
def test_each_says_what_teaches_it(name: str) -> None:
    taught = teaching(models.architecture(name))

    assert taught.names
    assert taught.alone <= set(taught.names)


@pytest.mark.parametrize("name", DETECTORS)
def test_one_picture_does_not_depend_on_the_others(name: str) -> None:
    network = models.architecture(name).build(channels=3, classes=2, size=[64, 64]).eval()
    seen = pictures((64, 64), count=3)

    with torch.no_grad():
        alone, _ = network.candidates(seen[1:2])
        together, _ = network.candidates(seen)

    torch.testing.assert_close(together[1:2], alone, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
def test_what_looks_for_defects_answers_with_probabilities(sides) -> None:
    network = models.architecture("surface").build(channels=3, classes=4, size=list(sides)).eval()

    with torch.no_grad():
        scores, maps = network(pictures(sides))
        for layer in network.outputs:
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        unsure, nowhere = network(pictures(sides))

    assert scores.shape == (2,)
    assert maps.shape == (2, 3, sides[0] // 4, sides[1] // 4)
    assert bool(((scores >= 0) & (scores <= 1)).all())
    assert bool((maps.sum(1) <= 1).all())
    torch.testing.assert_close(unsure, torch.full((2,), 0.75))
    torch.testing.assert_close(nowhere, torch.full_like(maps, 0.25))


def test_at_first_a_part_is_as_defective_as_its_most_defective_place() -> None:
    network = models.architecture("surface").build(channels=3, classes=2, size=[64, 64]).eval()
    with torch.no_grad():
        network.judge.weight[:, :-1] = 0.0
        network.judge.weight[:, -1] = network.judge.weight[:, -1].round()
        judged, places = network.logits(pictures((64, 64)))

    odds = torch.nn.functional.avg_pool2d(places[:, 1:] - places[:, :1], 3, stride=1)
    torch.testing.assert_close(judged[:, 1] - judged[:, 0], odds.amax(dim=(1, 2, 3)))


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("sides", SIDES)
def test_a_segmenter_answers_for_a_whole_part_of_the_picture(name: str, sides) -> None:
    network = models.architecture(name).build(channels=3, classes=4, size=list(sides)).eval()

    with torch.no_grad():
        logits = network(pictures(sides))

    assert logits.shape[:2] == (2, 4)
    assert sides[0] / logits.shape[2] == sides[1] / logits.shape[3]


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_channels_is_taken(name: str, channels: int) -> None:
    if name == "candidates":  # of a pair, which has three layers
        channels *= 3
    network = models.architecture(name).build(channels=channels, classes=2, size=[32, 32]).eval()

    with torch.no_grad():
        seen = pictures((32, 32), channels)
        answers = network.candidates(seen) if name in DETECTORS else network(seen)

    for part in answers if isinstance(answers, tuple) else (answers,):
        assert len(part) == 2
        assert part.isfinite().all()


@pytest.mark.parametrize("name", [name for name in BUILT if name not in DEFECTS])
def test_the_layers_that_answer_decide_all_by_themselves(name: str) -> None:
    network = models.architecture(name).build(channels=3, classes=7, size=[32, 32]).eval()
    for layer in network.outputs:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)

    with torch.no_grad():
        answers = network.candidates(pictures((32, 32))) if name in DETECTORS else network(pictures((32, 32)))

    logits = answers[1] if name in DETECTORS else answers
    assert logits.unique().numel() == 1


@pytest.mark.parametrize("name", DETECTORS)
def test_what_an_answer_costs_is_that_of_all_that_ships(name: str) -> None:
    network = models.architecture(name).build(channels=3, classes=2, size=[64, 64]).eval()
    ships = {"detect": "candidates", "instance": "outlined", "panoptic": "everything"}
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        getattr(network, ships[models.card(name).task])(pictures((64, 64), count=1))

    assert macs(network, pictures((64, 64), count=1)) == counter.get_total_flops() // 2 > 1e6


def test_a_detector_expects_what_it_is_told_to() -> None:
    network = models.architecture("point").build(channels=3, classes=3, size=[32, 32]).eval()
    network.expect([0.001, 0.01, 0.2])

    with torch.no_grad():
        logits = network.what(network.maps(pictures((32, 32))))

    found = logits.sigmoid().mean((0, 2, 3))
    assert found.tolist() == pytest.approx([0.001, 0.01, 0.2], rel=0.4)


@pytest.mark.parametrize("stride", [4, 8])
def test_the_map_is_as_fine_as_asked(stride: int) -> None:
    network = models.architecture("point").build(channels=3, classes=2, size=[64, 96], stride=stride).eval()

    with torch.no_grad():
        logits = network.what(network.maps(pictures((64, 96))))

    assert logits.shape[2:] == (64 // stride, 96 // stride)


def test_maps_of_a_backbone_halve_and_have_the_channels_it_states() -> None:
    for made in (
        Dense(channels=3, widths=(16, 32, 48, 64), depths=(0, 1, 0, 1)),
        Features(LITE[0], channels=3),
        *(Mobile(name, channels=3) for name in MOBILE),
    ):
        made.eval()
        with torch.no_grad():
            maps = made(pictures((64, 96)))
        assert [one.shape[1] for one in maps] == list(made.widths)
        assert [one.shape[2:] for one in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize("name", [LITE[0], *MOBILE])
def test_weights_of_a_classifier_become_those_of_the_backbone(name: str) -> None:
    classifier = models.architecture(name)(channels=3, classes=9, size=224).eval()
    made = classifier_maps(name, channels=3).eval()

    made.take(classifier.state_dict())

    own = made.state_dict() if name in MOBILE else made.maps.state_dict()
    assert all(own[part].equal(classifier.state_dict()[part]) for part in own)
    with pytest.raises(ValueError, match="missing"):
        made.take({})


@pytest.mark.parametrize("name", [LITE[0], *MOBILE])
def test_the_last_map_may_be_as_fine_as_the_one_before(name: str) -> None:
    made = classifier_maps(name, channels=3, dilated=True).eval()

    with torch.no_grad():
        maps = made(pictures((64, 96)))

    assert [one.shape[1:] for one in maps[2:]] == [(width, 4, 6) for width in made.widths[2:]]


def test_what_makes_no_maps_is_no_backbone() -> None:
    for name, backbone in (("point", "svm_hog"), ("deeplabv3", "dense")):
        with pytest.raises(UsageError, match="makes no maps"):
            models.architecture(name).build(channels=3, classes=2, size=[32, 32], backbone=backbone)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v3_small"])
def test_what_is_known_of_a_million_pictures_is_not_learned_anew_from_a_few(name: str) -> None:
    made = classifier_maps(name, channels=3)
    weights = {key: value.clone() for key, value in made.named.state_dict().items()}
    pictures = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    norms = [layer for layer in made.modules() if isinstance(layer, nn.BatchNorm2d)]

    made.train()
    assert all(layer.training for layer in norms)
    made.take(weights)
    made.train()
    maps = made(pictures)
    torch.stack([one.square().mean() for one in maps]).sum().backward()

    assert not maps[0].requires_grad
    assert all(one.requires_grad for one in maps[1:])
    learned = {key for key, one in made.named.named_parameters() if one.grad is not None}
    frozen = {key for key, one in made.named.named_parameters() if not one.requires_grad}
    assert learned
    assert frozen
    assert learned | frozen == {key for key, _ in made.named.named_parameters()}
    after = made.named.state_dict()
    assert all(torch.equal(weights[key], after[key]) for key in after), "statistics were kept, too"
