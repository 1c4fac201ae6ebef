"""export.lowering: another graph in the same clothes, calibrated on its own answers."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from foveal.bundle import archive
from foveal.bundle.manifest import Data, Images
from foveal.bundle.predictor import Predictor
from foveal.calibrate.fit import Promises
from foveal.data.preprocess import Preprocess
from foveal.export import Origin, bundle
from foveal.export.lowering import Lowering, lowered
from foveal.tasks.recognizer import Recognizer
from foveal.train import Examples

SIZE = 16
PREPROCESS = Preprocess(size=SIZE, channels=3, mean=(0.4, 0.4, 0.4), std=(0.2, 0.2, 0.2))
ORIGIN = Origin(Data(fingerprint="0" * 64, split_seed=3, images=Images(fit=0, calib=400, test=50)))


def examples(count, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 200, (count, SIZE, SIZE, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 40
    return Examples(images, labels, np.arange(count))


class Brightest(torch.nn.Module):
    """Which channel is bright, by a linear layer on three means."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(3))
            self.head.bias.copy_(torch.tensor([0.01, 0.02, 0.03]))

    def forward(self, images):
        return self.head(images.mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    made = Recognizer(Brightest().eval(), "nano", {}, PREPROCESS, ("red", "green", "blue"))
    path = tmp_path_factory.mktemp("lowering") / "original.foveal"
    return archive.read(bundle(made, path, calib=examples(400), origin=ORIGIN).bundle)


def test_the_same_graph_gives_the_same_answers_and_says_where_it_comes_from(original, tmp_path) -> None:
    path = tmp_path / "same.foveal"
    lowering = Lowering(original.model, "int8", ("quantize",))

    lowered(original, lowering, path, calib=examples(400))

    made = archive.read(path).manifest
    assert archive.read(path).model == original.model
    assert (made.model.precision, made.model.steps) == ("int8", ("quantize",))
    assert made.model.origin == original.manifest.digest
    assert made.decision == original.manifest.decision
    assert made.temperature == original.manifest.temperature


def test_what_is_made_from_what_was_made_keeps_the_first_origin(original, tmp_path) -> None:
    lowered(
        original,
        Lowering(original.model, "fp32", ("prune",)),
        tmp_path / "a.foveal",
        calib=None,
    )
    first = archive.read(tmp_path / "a.foveal")
    lowered(
        first,
        Lowering(original.model, "int8", ("quantize",)),
        tmp_path / "b.foveal",
        calib=None,
    )

    made = archive.read(tmp_path / "b.foveal").manifest.model
    assert made.steps == ("prune", "quantize")
    assert made.origin == original.manifest.digest


def test_without_labels_nothing_is_promised(original, tmp_path) -> None:
    path = tmp_path / "silent.foveal"
    images = examples(60, 1).images

    lowered(original, Lowering(original.model, "int8", ("quantize",)), path, calib=None)

    decision = archive.read(path).manifest.decision
    assert decision.abstain.threshold is None
    assert decision.abstain.n == 0
    assert decision.conformal.quantile is None
    assert all(len(answer.set) == 3 for answer in Predictor.open(path).predict(list(images[:5])))


def test_confidence_follows_the_new_graph(original, tmp_path) -> None:
    """Scores ten times as large need ten times the temperature."""
    loaded = onnx.load_from_string(original.model)
    for name in ("head.weight", "head.bias"):
        tensor = next(i for i in loaded.graph.initializer if i.name.endswith(name))
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 10, tensor.name))
    louder = loaded.SerializeToString(deterministic=True)

    lowered(
        original,
        Lowering(louder, "int8", ("quantize",)),
        tmp_path / "loud.foveal",
        calib=examples(400),
    )

    made = archive.read(tmp_path / "loud.foveal").manifest
    assert made.temperature == pytest.approx(10 * original.manifest.temperature, rel=1e-3)


def test_what_the_first_graph_promises_the_new_one_promises(tmp_path) -> None:
    made = Recognizer(Brightest().eval(), "nano", {}, PREPROCESS, ("red", "green", "blue"))
    promises = Promises(alpha=0.2, risk=0.05, sets="mondrian", sets_delta=0.1)
    told = replace(ORIGIN, promises=promises)
    original = archive.read(bundle(made, tmp_path / "a.foveal", calib=examples(400), origin=told).bundle)
    lowering = Lowering(original.model, "int8", ("quantize",))
    assert Promises.of(original.manifest.decision) == promises

    lowered(original, lowering, tmp_path / "b.foveal", calib=examples(400))
    lowered(original, lowering, tmp_path / "c.foveal", calib=None)

    again, silent = (archive.read(tmp_path / name).manifest.decision for name in ("b.foveal", "c.foveal"))
    assert again == original.manifest.decision
    assert Promises.of(silent) == promises
    assert silent.conformal.quantiles == (None, None, None)
