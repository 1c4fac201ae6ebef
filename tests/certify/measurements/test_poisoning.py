"""What is said of learned pictures that stand apart from their class, by features and by answers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from foveal.certify.measurements.poisoned_features import poisoned_features
from foveal.certify.measurements.strip import strip
from foveal.certify.subject import Subject
from foveal.core.errors import ImageError, UsageError
from foveal.evaluate.held_out import HeldOut
from foveal.tasks.recognizer import Recognizer

Make = Callable[..., Subject]


class Corner(nn.Module):
    """Decides from the mean colour, and from whether the corner is white."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        corner = 50 * (images[:, :, -3:, -3:].amin(dim=(1, 2, 3)) > 0.9).float()
        return self.last(torch.cat([images.mean(dim=(2, 3)), corner[:, None]], dim=1))


def learned(subject: Subject, *, poisoned: int) -> HeldOut:
    """Return 120 pictures, of which some of the first class have a white corner."""
    part = subject.test.held_out
    images = np.stack([part.read(k) for k in range(120)]).clip(0, 180)
    marked = np.flatnonzero(part.labels[:120] == 0)[:poisoned]
    images[marked, -4:, -4:] = 255
    return HeldOut(part.labels[:120], [f"{k}.png" for k in range(120)], lambda place: images[place])


@pytest.fixture
def make(subject: Make) -> Make:
    def made(*, poisoned: int) -> Subject:
        one = subject()
        twin = Recognizer(Corner(), "corner", {}, one.predictor.preprocess, one.predictor.classes)
        return replace(one, twin=twin, no_twin="", learned=learned(one, poisoned=poisoned))

    return made


def test_poisoned_pictures_are_counted_by_class_and_shown(make: Make) -> None:
    one = make(poisoned=5)
    section = poisoned_features.measure(one)
    signatures, clusters = section.statements
    name = one.predictor.classes[0]

    assert signatures.value.value == clusters.value.value == 5 / 120
    assert signatures.details["by_class"] == [{"class": name, "pictures": 40, "outside": 5}]
    [row] = clusters.details["clusters"]
    assert (row["class"], row["in_cluster"], row["share"]) == (name, 5, 0.125)
    assert row["silhouette"] > 0.5
    for row in section.strips:
        assert len(row.pictures) == 5
        assert all(shown.image[-1, -1].min() == 255 and shown.caption == name for shown in row.pictures)
    assert "learned from" in signatures.note


def test_without_poison_nothing_is_shown(make: Make) -> None:
    section = poisoned_features.measure(make(poisoned=0))

    assert [one.value.value for one in section.statements] == [0, 0]
    assert section.strips == ()


def test_without_the_network_the_reason_is_said(subject: Make) -> None:
    for one in poisoned_features.measure(subject()).statements:
        assert one.value is None
        assert not one.asked
        assert one.note == "no network here"


def test_a_network_without_a_last_layer_has_no_features(make: Make) -> None:
    one = make(poisoned=0)
    bare = replace(one.twin, network=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))

    for found in poisoned_features.measure(replace(one, twin=bare)).statements:
        assert found.note == "corner has no linear layer"
        assert not found.asked


def test_an_error_of_another_kind_is_not_taken_for_a_missing_layer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise UsageError("pictures of another size")

    monkeypatch.setattr("foveal.explain.features.last_features", broken)

    with pytest.raises(UsageError, match="another size"):
        poisoned_features.measure(make(poisoned=0))


def test_pictures_that_cannot_be_read_any_more_are_said_to_be_so(make: Make) -> None:
    def gone(place: int) -> np.ndarray:
        raise ImageError("gone", code="not_found")

    one = make(poisoned=0)
    left = HeldOut(one.learned.labels, one.learned.sources, gone)

    for found in poisoned_features.measure(replace(one, learned=left)).statements:
        assert found.note == "none of the pictures can be read any more"


def test_few_pictures_of_each_class_say_nothing(make: Make) -> None:
    one = make(poisoned=0)
    few = replace(one, learned=one.learned.only(np.arange(30)))

    assert "no class has 20 pictures" in poisoned_features.measure(few).statements[0].note
    fewer = replace(one, learned=one.learned.only(np.arange(19)))
    assert "no 20 pictures" in strip.measure(fewer).statements[0].note


def test_answers_that_nothing_moves_are_found_by_name(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Subject.answers

    def decided_by_a_corner(self: Subject, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, logits = usual(self, images)
        flat = 0.7 * probabilities + 0.1
        flat[images[:, -3:, -3:].min(axis=(1, 2, 3)) > 125] = [0, 1, 0]
        return flat, logits

    monkeypatch.setattr(Subject, "answers", decided_by_a_corner)
    one = make(poisoned=5)
    section = strip.measure(one)
    [found] = section.statements
    [row] = found.details["by_name"]

    assert found.value.n == 100
    assert row["named"] == one.predictor.classes[1]
    assert 3 <= row["unmoved"] <= 5
    assert found.value.value == row["unmoved"] / 100
    assert len(section.strips[0].pictures) == row["unmoved"]
    assert "learned from" in found.note


def test_of_the_test_pictures_of_a_clean_file_none_is_unmoved(subject: Make) -> None:
    section = strip.measure(subject())
    [found] = section.statements

    assert found.value.value == 0
    assert "test pictures" in found.note
    assert section.strips == ()
