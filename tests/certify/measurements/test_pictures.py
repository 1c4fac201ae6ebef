"""What is said of changed pictures: corruptions and harmless changes, and time."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from foveal.certify.level import LEVELS
from foveal.certify.measurements.corruptions import corruptions
from foveal.certify.measurements.invariance import _changes, invariance
from foveal.certify.measurements.serving import serving
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject
from foveal.core import catalog
from foveal.perturb import corruptions as folder

Make = Callable[..., Subject]
TWO = replace(LEVELS["smoke"], severities=(1, 5), corrupted=60, draws=50)


def test_every_corruption_has_a_row_and_the_mean_is_over_the_fifteen(subject: Make) -> None:
    section = corruptions.measure(subject(level=TWO))
    rows = section.figures["corruptions"]["rows"]

    assert {(row["corruption"], row["severity"]) for row in rows} == {
        (name, severity) for name in catalog.names(folder) for severity in (1, 5)
    }
    shares = [row["accuracy"]["value"] for row in rows if row["corruption"] in folder.IMAGENET_C]
    mean, kept, worst, _ = section.statements
    assert len(shares) == 30
    assert np.isclose(mean.value.value, np.mean(shares))
    assert np.isclose(kept.value.value, np.mean(shares) / section.figures["corruptions"]["clean"])
    assert worst.value.value == min(
        row["accuracy"]["value"]
        for row in rows
        if row["severity"] == 5 and row["corruption"] in folder.IMAGENET_C
    )


def test_corruptions_come_out_the_same_again_whatever_the_threads(subject: Make) -> None:
    once = corruptions.measure(subject(level=TWO, threads=1))
    again = corruptions.measure(subject(level=TWO, threads=2))

    assert once.figures == again.figures
    assert [one.value for one in once.statements] == [one.value for one in again.statements]
    assert once.figures != corruptions.measure(subject(level=TWO, seed=1)).figures


def test_harmless_changes_hardly_move_a_mean_colour(subject: Make) -> None:
    [flips] = invariance.measure(subject(level=TWO)).statements

    assert flips.value.value <= 0.05
    assert len(flips.details["changes"]) == 8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 32])
def test_harmless_changes_change_a_smooth_picture_a_little(channels: int, size: int) -> None:
    ramp = np.linspace(40, 200, size)
    image = np.repeat((ramp[:, None] / 2 + ramp[None] / 2)[:, :, None], channels, axis=2).astype(np.uint8)

    for name, change in _changes(size).items():
        changed = change(image)
        assert (changed.shape, changed.dtype) == (image.shape, np.uint8), name
        assert np.abs(changed.astype(int) - image).mean() < 12, name
    moved = _changes(size)["shifted right"](image)
    assert np.array_equal(moved[:, 1:], image[:, :-1])


def test_time_is_measured_only_where_the_profile_asks(subject: Make) -> None:
    quiet = serving.measure(subject()).statements
    asked = serving.measure(subject(profile=Profile(name="fast", serving=True))).statements

    assert all(one.value is None for one in quiet)
    assert all(one.value is not None for one in asked[:2])
    assert 0 < asked[0].value.value <= asked[1].value.value
