"""evaluate.panoptic_measure: panoptic quality of pictures drawn again is that of the pictures themselves."""

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.data import opening
from foveal.evaluate.paired_scenes import both_pq, value_of_segments
from foveal.evaluate.panoptic_measure import PanopticMeasure
from foveal.metrics.panoptic_quality import panoptic_quality
from scenes import write_maps

RNG = np.random.default_rng(0)
THINGS = np.array([False, True, True])


def counts(pictures: int) -> np.ndarray:
    """Return Σ IoU, right, wrong and missed of three classes on each picture."""
    right = RNG.integers(0, 4, (pictures, 3))
    others = RNG.integers(0, 3, (pictures, 3, 2))
    overlaps = right * RNG.uniform(0.5, 1, (pictures, 3))
    return np.concatenate([overlaps[:, :, None], right[:, :, None], others], axis=2)


def pq(some: np.ndarray) -> float:
    found = panoptic_quality(some, things=THINGS, draws=10).all.pq
    assert found is not None
    return found.value


def test_pictures_count_as_often_as_is_asked() -> None:
    all_of_them = counts(12)
    times = RNG.integers(0, 3, (5, 12))

    found = value_of_segments(all_of_them)(times)

    assert found == pytest.approx([pq(np.repeat(all_of_them, row, axis=0)) for row in times])
    assert PanopticMeasure.worth(all_of_them, units=None, seed=0).value == pytest.approx(pq(all_of_them))


def test_of_two_the_first_ones_pictures_come_first() -> None:
    first, second = counts(6), counts(6)
    value = both_pq(first, second)
    ours, theirs = np.repeat([[1, 0], [0, 1]], 6, axis=1)

    assert value(np.stack([ours, theirs])) == pytest.approx([pq(first), pq(second)])


def test_where_nothing_is_there_or_found_there_is_no_quality() -> None:
    with pytest.raises(UsageError, match="panoptic quality"):
        PanopticMeasure.worth(np.zeros((3, 3, 4)), units=None, seed=0)


def test_labels_are_those_of_the_classes_that_are_compared(divider, tmp_path) -> None:
    predictor = Predictor.open(divider)
    side = predictor.preprocess.size
    data = opening.open(
        write_maps(tmp_path / "areas", count=8, side=side), task="panoptic", things=predictor.manifest.things
    )
    images = np.stack([predictor.preprocess(data.read(index).decode(3)) for index in range(8)])

    plain = PanopticMeasure(predictor, data, data.classes)
    turned = PanopticMeasure(predictor, data, data.classes[::-1])
    one, other = (each.together(each.look(images, range(8))) for each in (plain, turned))

    assert one[:, :, 1].sum() > 0  # some are right
    assert other == pytest.approx(one[:, ::-1])
