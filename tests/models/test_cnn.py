"""models.cnn: order matters to the recurrent ones and to no other; each frame is seen by itself."""

import pytest
import torch

from foveal import models
from foveal.core.errors import RecipeError, UsageError
from foveal.models.cnn import Reading, cnn

HEADS = ["gru", "lstm", "pool", "frame"]


def network(head, **changes):
    torch.manual_seed(0)
    return cnn(channels=3, classes=4, size=16, head=head, **changes).eval()


def clips(count=3, frames=6, side=16):
    return torch.randn(count, frames, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_the_order_of_the_frames_matters_to_recurrent_networks_alone(head):
    one, seen = network(head), clips()

    for order in (torch.tensor([3, 1, 5, 0, 2, 4]), torch.arange(6).flip(0)):
        far = (one(seen[:, order]) - one(seen)).abs().max()
        assert (far > 1e-3) if head in ("gru", "lstm") else (far < 1e-5)


@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_a_frame_becomes_the_same_features_whatever_is_around_it(head):
    one, seen = network(head), clips()

    alone = torch.cat([one.look(seen[:, k : k + 1]) for k in range(6)], dim=1)

    torch.testing.assert_close(one.look(seen), alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.answer(alone), one(seen), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_answer_of_cnn_frame_is_the_mean_of_those_for_each_frame():
    one, seen = network("frame"), clips()

    each = torch.stack([one(seen[:, k : k + 1]) for k in range(6)])

    torch.testing.assert_close(one(seen), each.mean(0), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_features_say_where_something_is():
    one = network("gru")
    here = torch.zeros(1, 1, 3, 16, 16)
    here[..., 4:8, 2:6] = 3.0

    assert (one.look(here) - one.look(here.roll(8, dims=-1))).abs().max() > 1e-3


def test_a_frozen_backbone_keeps_weights_and_statistics():
    one = network("gru", backbone="resnet18", start="frozen").train()
    before = {name: value.clone() for name, value in one.backbone.state_dict().items()}

    one(clips()).sum().backward()

    assert all(parameter.grad is None for parameter in one.backbone.parameters())
    assert all(parameter.grad is not None for parameter in Reading(one).parameters())
    assert all(torch.equal(before[name], value) for name, value in one.backbone.state_dict().items())


def test_a_transferred_backbone_that_is_not_frozen_learns():
    one = network("gru", backbone="resnet18", start="transfer").train()
    before = one.backbone.state_dict()["bn1.running_mean"].clone()

    one(clips()).sum().backward()

    assert all(parameter.grad is not None for parameter in one.backbone.parameters())
    assert not torch.equal(one.backbone.state_dict()["bn1.running_mean"], before)


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "resnet20"])
@torch.no_grad()
def test_what_reads_features_is_the_network_without_its_backbone(backbone):
    one, seen = network("gru", backbone=backbone, start="frozen"), clips(side=16)

    features = one.backbone(seen.flatten(0, 1)).unflatten(0, (3, 6))

    torch.testing.assert_close(Reading(one)(features), one(seen))
    theirs = Reading(one).state_dict()
    own = one.state_dict()
    assert set(own) - set(theirs) == {name for name in own if name.startswith("backbone.")}


def test_a_transferred_backbone_is_narrow_and_has_no_head():
    one = network("gru", backbone="efficientnet_lite0", start="transfer")

    names = set(one.backbone.state_dict())
    assert not any(name.startswith(("conv_head.", "bn2.", "classifier.")) for name in names)
    assert one.project.in_features == 2 * 320


def test_nano_starts_from_scratch_alone():
    with pytest.raises(UsageError, match="a form of its own"):
        network("gru", start="transfer")


def test_a_new_network_has_seen_nothing_in_its_norms():
    norms = [m for m in network("gru").modules() if isinstance(m, torch.nn.BatchNorm2d)]

    assert norms
    for norm in norms:
        assert not norm.running_mean.any()
        assert torch.equal(norm.running_var, torch.ones_like(norm.running_var))
        assert norm.num_batches_tracked == 0
    assert all(module.training for module in cnn(channels=3, classes=2, size=16, head="gru").modules())


def test_frames_that_are_too_small_for_the_backbone_are_refused_with_a_size_that_is_not():
    with pytest.raises(
        RecipeError, match="inception-v3 needs frames of at least 32 pixels; got 16"
    ) as caught:
        network("gru", backbone="inception_v3")

    assert caught.value.code == "wrong_size"
    assert "--size 32" in caught.value.hint


@pytest.mark.parametrize("backbone", ["googlenet", "inception_v3"])
@pytest.mark.parametrize("start", ["scratch", "transfer"])
def test_auxiliary_classifiers_of_a_backbone_are_left_out(backbone, start):
    one = cnn(channels=3, classes=4, size=32, head="gru", backbone=backbone, start=start)

    answer = one.train()(clips(2, 2, side=32))
    answer.sum().backward()

    assert answer.shape == (2, 4)
    assert not isinstance(one, models.HasAuxiliary)
    assert all(parameter.grad is not None for parameter in one.parameters())


@pytest.mark.parametrize("name", ["svm_hog", "cnn_gru"])
def test_a_backbone_is_a_network_for_pictures(name):
    with pytest.raises(UsageError, match="no network that looks at a frame"):
        network("gru", backbone=name)


def test_the_frames_of_training_clips_are_shown_to_the_backbone():
    one = network("gru")
    before = one.backbone.nano.whiten.weight.clone()

    one.learn_from(clips(20))

    assert isinstance(one, models.LearnsFromImages)
    assert not torch.equal(one.backbone.nano.whiten.weight, before)
