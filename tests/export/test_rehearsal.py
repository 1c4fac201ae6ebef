"""export.rehearsal: what a user's network cannot do is said before anything is trained."""

import pytest
import torch
from torch import nn

from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export.rehearsal import rehearse
from foveal.models import Architecture

PREPROCESS = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
CLASSES = ("a", "b", "c")


class Net(nn.Module):
    """Logits of a linear layer, changed by `last`."""

    def __init__(self, last=lambda z: z, classes=3):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, classes)
        self.last = last

    def forward(self, images):
        return self.last(self.head(self.norm(images).mean(dim=(2, 3))))


def asked(make):
    return rehearse(Architecture(make, name="test:net"), PREPROCESS, CLASSES)


def test_a_sound_network_passes_and_comes_back_as_it_was_built():
    network = asked(lambda *, channels, classes, size: Net(classes=classes))

    assert network.norm.num_batches_tracked == 0
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (lambda z: z[:, :2], r"test:net gives \(4, 2\), not logits \(4, 3\) for 4 pictures and 3 classes"),
        (lambda z: z.mean(0), r"gives \(3,\), not logits"),
        (lambda z: (z, z), "gives a tuple, not logits"),
        (lambda z: z.argmax(1), r"gives a tensor of torch.int64, not logits"),
        (lambda z: z * float("nan"), "gives NaN or infinity"),
        (lambda z: z.view(5, 3), r"fails on images \(4, 3, 16, 16\): RuntimeError: shape"),
        (lambda z: z.detach(), "cannot be trained: RuntimeError: element 0 of tensors does not require grad"),
        (lambda z: z + (0 * z).sqrt(), "gets gradients of NaN or infinity"),
    ],
)
def test_what_it_does_wrong_is_said(last, message):
    with pytest.raises(UsageError, match=message) as caught:
        asked(lambda *, channels, classes, size: Net(last))

    assert caught.value.code == "bad_network"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda channels: None, r"\(channels=3, classes=3, size=16\) fails: TypeError"),
        (lambda *, channels, classes, size: 7, "returns a int, not a torch.nn.Module"),
        (lambda *, channels, classes, size: Net(classes=10), r"gives \(4, 10\), not logits \(4, 3\)"),
    ],
)
def test_a_builder_that_builds_nothing_usable_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        asked(make)


def test_what_onnx_cannot_hold_is_refused():
    def branches(logits):
        return logits * 2 if float(logits.sum().detach()) > 0 else logits

    with pytest.raises(UsageError, match="test:net cannot be exported to ONNX") as caught:
        asked(lambda *, channels, classes, size: Net(branches))

    assert caught.value.code == "not_exportable"


def test_the_global_random_state_stays():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)

    asked(lambda *, channels, classes, size: Net())

    assert torch.equal(torch.rand(2), expected)
