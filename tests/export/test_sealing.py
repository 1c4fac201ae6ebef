"""export.bundle: one call from a network of one's own to a sealed file that answers as the network does."""

import numpy as np
import pytest
import torch

import foveal
from foveal.bundle.manifest import Data, Images
from foveal.core.errors import UsageError
from foveal.data.preprocess import Preprocess
from foveal.export import Origin, bundle
from foveal.tasks.recognizer import Recognizer
from foveal.train import Examples

SIZE = 16
PREPROCESS = Preprocess(size=SIZE, channels=3, mean=(0.4, 0.4, 0.4), std=(0.2, 0.2, 0.2))
ORIGIN = Origin(Data(fingerprint="0" * 64, split_seed=3, images=Images(fit=0, calib=400, test=50)))


class Brightest(torch.nn.Module):
    """Which channel is bright: three means, and no weight to learn."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) * 4


class Odd(Brightest):
    """Answers otherwise while it is exported than afterwards."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = super().forward(images)
        return logits if torch.compiler.is_exporting() else logits.flip(1)


def recognizer(network):
    return Recognizer(network.eval(), "nano", {}, PREPROCESS, ("red", "green", "blue"))


def examples(count, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 200, (count, SIZE, SIZE, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 40
    return Examples(images, labels, np.arange(count))


def test_the_bundle_answers_as_the_network(tmp_path):
    exported = bundle(
        recognizer(Brightest()),
        tmp_path / "own.foveal",
        calib=examples(400),
        test=examples(50, 1),
        origin=ORIGIN,
    )

    new = examples(20, 2)
    answers = foveal.load(exported.bundle).predict(list(new.images))
    assert [answer.label for answer in answers] == [("red", "green", "blue")[k] for k in new.labels]
    assert exported.parity.images == 450
    assert exported.parity.max_abs_difference < 1e-5


def test_confidence_is_fitted_on_the_calibration_images(tmp_path):
    sound, wrong = examples(400), examples(400)
    wrong.labels[:200] = (wrong.labels[:200] + 1) % 3  # the network is right in every second case

    manifests = [
        foveal.load(
            bundle(recognizer(Brightest()), tmp_path / name, calib=calib, origin=ORIGIN).bundle
        ).manifest
        for name, calib in (("sound.foveal", sound), ("wrong.foveal", wrong))
    ]

    assert manifests[0].temperature < 0.5 * manifests[1].temperature
    assert manifests[0].data == ORIGIN.data
    assert (manifests[0].model.source, manifests[0].licenses.code) == ("not stated", None)


def test_at_most_a_thousand_images_are_compared_from_both_parts(tmp_path):
    calib, test = examples(900), examples(600, 1)
    outside = Examples(test.images, test.labels, np.arange(0, 600, 2))

    exported = bundle(
        recognizer(Brightest()), tmp_path / "a.foveal", calib=calib, test=outside, origin=ORIGIN
    )

    assert exported.parity.images == 1000


def test_a_file_that_decides_otherwise_is_not_written(tmp_path):
    bundle(
        recognizer(Brightest()), tmp_path / "odd.foveal", calib=examples(60), origin=ORIGIN
    )  # an earlier one

    exported = bundle(recognizer(Odd()), tmp_path / "odd.foveal", calib=examples(60), origin=ORIGIN)

    assert exported.bundle is None
    assert exported.parity.clear_flips > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("calib", "message"),
    [
        (
            Examples(np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4, np.int64), np.arange(4)),
            r"\(M, 16, 16, 3\)",
        ),
        (Examples(np.zeros((4, 16, 16, 3)), np.zeros(4, np.int64), np.arange(4)), "float64"),  # type: ignore[arg-type]
        (examples(0), "one image or more"),
        (Examples(examples(4).images, np.array([0, 1, 2, 3]), np.arange(4)), "from 0 to 2; got 0 to 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(tmp_path, calib, message):
    with pytest.raises(UsageError, match=message):
        bundle(recognizer(Brightest()), tmp_path / "a.foveal", calib=calib, origin=ORIGIN)
