"""export.defects_sealing: the file answers as the network does, or there is none."""

import numpy as np
import pytest
import torch
from torch import nn

from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export import defects_sealing
from foveal.export.defects_sealing import bundle_defects, compare_defects
from foveal.export.sealing import Origin
from foveal.tasks.defect.decode import DefectDecision
from foveal.tasks.defect.learn import answers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

PREPROCESS = Preprocess(size=32, channels=1, resize="whole", mean=(0.5,), std=(0.25,))


class Darker(nn.Module):
    """How much darker than the picture's mean each of 8 × 8 places is, and the largest of that."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(1, 1, 4, stride=4)

    def forward(self, images):
        maps = self.weigh(images) - self.weigh(images).mean(dim=(2, 3), keepdim=True)
        return maps.amax(dim=(1, 2, 3)), maps


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    torch.manual_seed(0)
    return Recognizer(Darker().eval(), "darker", {}, PREPROCESS, ("good", "dark"), "defect")


@pytest.fixture(scope="module")
def examples() -> Examples:
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 1)).astype(np.uint8)
    return Examples(images, np.zeros(30, np.int64), np.arange(3, 30, dtype=np.int64))


def decided(ask, examples: Examples) -> DefectDecision:
    maps = ask(examples).maps
    shown = float(np.quantile(maps.max(axis=(1, 2, 3)), 0.5))
    return DefectDecision(thresholds=(shown,), usual=(float(np.median(maps)),), n=len(examples))


def test_the_file_answers_as_the_network(recognizer, examples, draft, tmp_path) -> None:
    path = tmp_path / "d.foveal"

    made = bundle_defects(
        recognizer,
        path,
        held_out=[examples],
        decide=lambda ask: decided(ask, examples),
        origin=Origin(draft().data),
        threads=1,
    )

    predictor = Predictor.open(path, threads=1)
    assert made.bundle == path
    assert made.parity.images == 27
    assert made.parity.unit == "pixels"
    assert predictor.manifest.defects.n == 27
    reference = answers(recognizer, examples.images)
    found = predictor.suspect(examples.images)
    np.testing.assert_allclose(found.maps, reference.maps, atol=1e-5)
    np.testing.assert_allclose(found.scores, reference.scores, atol=1e-5)


def test_a_file_of_another_network_is_found_out(recognizer, examples) -> None:
    other = Darker()
    other.load_state_dict(recognizer.network.state_dict())
    other.weigh.bias.data += 1  # which cancels
    other.weigh.weight.data *= 1.01
    session = _Session(Recognizer(other.eval(), "darker", {}, PREPROCESS, ("good", "dark"), "defect"))
    decision = decided(lambda some: answers(recognizer, some.images[some.indices]), examples)

    same = compare_defects(recognizer, _Session(recognizer), decision, [examples])
    found = compare_defects(recognizer, session, decision, [examples])

    assert same.gate().verdict == "pass"
    assert same.max_abs_difference == 0
    assert found.gate().verdict == "fail"
    assert found.max_abs_difference > 1e-4


def test_no_file_is_left_where_the_gate_fails(recognizer, examples, draft, tmp_path, monkeypatch) -> None:
    path = tmp_path / "d.foveal"
    path.write_bytes(b"an earlier one")
    real = defects_sealing.defects_graph

    def other(own):
        network = Darker()
        network.load_state_dict({k: v * 1.1 for k, v in own.network.state_dict().items()})
        return real(Recognizer(network.eval(), "darker", {}, PREPROCESS, own.classes, "defect"))

    monkeypatch.setattr(defects_sealing, "defects_graph", other)
    made = bundle_defects(
        recognizer,
        path,
        held_out=[examples],
        decide=lambda ask: decided(ask, examples),
        origin=Origin(draft().data),
        threads=1,
    )

    assert made.bundle is None
    assert not path.exists()


def test_nothing_is_compared_on_no_picture(recognizer, examples) -> None:
    none = Examples(examples.images, examples.labels, examples.indices[:0])
    rule = DefectDecision(thresholds=(1.0,), usual=(0.0,), n=0)

    with pytest.raises(UsageError):
        compare_defects(recognizer, _Session(recognizer), rule, [none])


class _Session:
    """A network in place of an engine."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer

    def answer(self, images):
        return answers(self.recognizer, images)._asdict()
