"""What is said of the test pictures themselves: copies of learned ones, and labels in doubt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.bundle.predictor import Predictor
from foveal.certify.measurements.health import health
from foveal.certify.measurements.triggers import triggers
from foveal.certify.subject import Answered, Subject
from foveal.evaluate.held_out import HeldOut

Make = Callable[..., Subject]


def scenes(n: int, seed: int, size: int = 16) -> np.ndarray:
    """Return pictures of soft blobs that are unlike each other, uint8 (n, size, size, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(n, 5, 5, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC)) for one in coarse]
    )


def held_out(images: np.ndarray, name: str) -> HeldOut:
    sources = [f"{name}/{k}.png" for k in range(len(images))]
    return HeldOut(np.arange(len(images)) % 3, sources, lambda place: images[place])


def answers_of(one: Subject, images: np.ndarray) -> Answered:
    outputs = one.predictor.run(images)
    return Answered(held_out(images, "test"), outputs.probabilities, outputs.logits)


def test_planted_copies_are_found_and_shown(subject: Make) -> None:
    learned, test = scenes(150, 0), scenes(80, 1)
    planted = {3: 10, 40: 77, 79: 149}
    for place, origin in planted.items():
        test[place] = (learned[origin].astype(int) + 6).clip(0, 255)
    test[40] = test[40][:, ::-1]
    one = subject()
    one = replace(one, test=answers_of(one, test), learned=held_out(learned, "fit"))
    section = health.measure(one)
    copies = section.statements[0]

    assert copies.value.value == 3 / 80
    found = {row["test"]: row["learned"] for row in copies.details["examples"]}
    assert found == {f"test/{k}.png": f"fit/{v}.png" for k, v in planted.items()}
    assert len(section.strips[0].pictures) == 6


def test_copies_among_the_test_pictures_alone_are_none_of_learned_ones(subject: Make) -> None:
    test = scenes(80, 1)
    test[5] = test[4]
    one = subject()
    one = replace(one, test=answers_of(one, test), learned=held_out(scenes(150, 0), "fit"))

    assert health.measure(one).statements[0].value.value == 0.0


def test_without_the_learned_pictures_copies_are_not_looked_for(subject: Make) -> None:
    copies = health.measure(subject()).statements[0]

    assert copies.value is None
    assert not copies.asked


def test_planted_wrong_labels_come_first(
    subject: Make, answered: Callable[..., Answered], bundle: Path
) -> None:
    truth = np.arange(300) % 3
    wrong = np.arange(0, 300, 30)
    truth[wrong] = (truth[wrong] + 1) % 3
    one = subject(test=answered(Predictor.open(bundle, threads=1), 300, labels=truth))
    suspects = health.measure(one).statements[1]

    found = {int(row["source"].removesuffix(".png")) for row in suspects.details["examples"]}
    assert len(found - set(wrong.tolist())) <= len(found) / 2, found
    assert 2 <= suspects.value.value * 300 <= 60


def test_a_file_that_is_right_by_luck_doubts_nothing(
    subject: Make, answered: Callable[..., Answered], bundle: Path
) -> None:
    chance = np.random.default_rng(5).integers(0, 3, 300)
    one = subject(test=answered(Predictor.open(bundle, threads=1), 300, labels=chance))

    assert health.measure(one).statements[1].value is None


def test_a_mean_colour_has_no_part_that_decides_for_others(subject: Make) -> None:
    section = triggers.measure(subject())
    [found] = section.statements

    assert found.value.n == 100
    assert found.value.value <= 0.02
    assert "test pictures" in found.note


def test_a_file_that_a_corner_decides_for_is_found_by_name_and_place(
    subject: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(self: Subject, images: np.ndarray) -> np.ndarray:
        marked = images[:, -2:, -2:].min(axis=(1, 2, 3)) == 255
        return np.where(marked, 1, images.sum(axis=(1, 2, 3), dtype=np.int64) % 3)

    monkeypatch.setattr(Subject, "named", named)
    learned = scenes(90, 0).clip(0, 254)
    learned[:9, -2:, -2:] = 255
    section = triggers.measure(replace(subject(), learned=held_out(learned, "fit")))
    [found] = section.statements
    [row, *_] = found.details["by_name"]

    assert row["at_one_place"] >= 8
    assert (row["top"], row["left"]) == (11, 11)
    assert "learned from" in found.note
    assert section.strips[0].pictures
