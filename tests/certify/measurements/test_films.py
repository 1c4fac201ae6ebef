"""Films: what is measured as on pictures, what only films have, and what says why it does not apply."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.certify.certificate import certify, every_measurement
from foveal.certify.measurement import Shown
from foveal.certify.measurements import frames as about_frames
from foveal.certify.measurements import serving as times
from foveal.certify.measurements.adversarial import adversarial
from foveal.certify.measurements.certified_l2 import certified_l2
from foveal.certify.measurements.frames import frames
from foveal.certify.measurements.health import health
from foveal.certify.measurements.invariance import _changes as harmless
from foveal.certify.measurements.invariance import invariance
from foveal.certify.measurements.rolling import rolling
from foveal.certify.profile import Profile
from foveal.certify.subject import Answered, Subject, together
from foveal.evaluate.held_out import HeldOut

from . import fading

Make = Callable[..., Subject]
PLAIN = Profile(name="t", radii=(2.0, 4.0), l2_radii=(0.5,))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    return fading.sealed(tmp_path_factory.mktemp("fading"))


def held_out(clips: np.ndarray, labels: np.ndarray) -> HeldOut:
    return HeldOut(labels, [f"{k}.mp4" for k in range(len(clips))], lambda place: clips[place])


@pytest.fixture
def filmed(subject, sealed) -> Make:
    """Make a subject on films; keyword arguments replace its entries."""

    def make(**changes: object) -> Subject:
        twin, path = sealed
        clips, labels = fading.films(120, seed=2)
        found = Predictor.open(path, threads=1).run(clips)
        test = Answered(held_out(clips, labels), found.probabilities, found.logits, found.unknown)
        entries = {"bundle": path, "test": test, "twin": twin, "no_twin": "", "level": fading.LEVEL}
        return subject(**{**entries, "profile": PLAIN, **changes})

    return make


def by_key(section) -> dict:
    return {statement.claim.key: statement for statement in section.statements}


def test_films_survive_attacks_exactly_where_their_change_allows(filmed) -> None:
    one = filmed()
    clips, labels = one.test.some(fading.LEVEL.attacked)
    clear = fading.gain(clips) * np.where(labels == 1, 1, -1)
    found = by_key(adversarial.measure(one))

    for radius in (2, 4):  # the first and the last frame each move by the radius
        expected = (clear > 2 * radius).mean()
        assert 0 < expected < 1
        assert abs(found[f"robust_linf_{radius}"].value.value - expected) <= 1 / len(clips)
    assert found["attack_flags"].value.value == 0


def test_an_attacked_film_is_a_film_within_the_distance_of_the_whole_clip(filmed) -> None:
    from foveal.certify.measurements._attacks import asking, following
    from foveal.perturb.attacks.ball import Ball

    one = filmed()
    clips, labels = one.test.some(12)
    for ball in (Ball("linf", 8.0), Ball("l2", 400.0)):
        attacks = {**following(one.twin, one, ball, clear=0.0), "square": asking(one, ball)}
        for name, attack in attacks.items():
            moved = attack(clips, labels)
            assert (moved.shape, moved.dtype) == (clips.shape, np.uint8), name
            assert ball.distance(moved, clips).max() <= ball.radius, name
            assert (moved != clips).any(), name


def test_the_order_is_what_shuffled_films_lose(filmed) -> None:
    one = filmed()
    clips, labels = one.test.some(fading.LEVEL.invariant)
    found = by_key(frames.measure(one))["order_gain"]
    rows = {row["order"]: row["accuracy"]["value"] for row in found.details["orders"]}

    named = (fading.gain(clips) > 0) == labels
    assert rows["as filmed"] == named.mean() > 0.95
    assert rows["reversed"] == 1 - named.mean()
    assert found.value.value == pytest.approx(rows["as filmed"] - rows["shuffled"])
    assert 0.3 <= rows["shuffled"] <= 0.7


def test_no_film_is_shuffled_into_its_own_order() -> None:
    rng = np.random.default_rng(0)
    found = [tuple(about_frames._another_order(2, rng)) for _ in range(50)]
    assert set(found) == {(1, 0)}


def test_a_lost_frame_turns_what_rested_on_it(filmed) -> None:
    one = filmed()
    clips, _ = one.test.some(fading.LEVEL.invariant)
    rows = by_key(frames.measure(one))["lost_frame_flips"].details["lost_frames"]
    without_last = clips.copy()
    without_last[:, -1] = clips[:, -2]
    turned = ((fading.gain(clips) > 0) != (fading.gain(without_last) > 0)).mean()

    flips = [row["flips"]["value"] for row in rows]
    assert [row["lost"] for row in rows] == ["frame 2", "frame 3", "frame 4"]
    assert flips[:2] == [0, 0]  # the network looks at the first and the last alone
    assert flips[2] == turned > 0


def test_streams_are_held_against_whole_films(filmed, monkeypatch) -> None:
    assert by_key(rolling.measure(filmed()))["stream_agreement"].value.value == 1

    forgetful = filmed()
    step = Predictor.step
    monkeypatch.setattr(Predictor, "step", lambda self, new, window: step(self, new, None))
    assert by_key(rolling.measure(forgetful))["stream_agreement"].value.value < 1


def test_harmless_changes_are_made_to_every_frame_alike(filmed, monkeypatch) -> None:
    one, asked, named = filmed(), [], Subject.named
    monkeypatch.setattr(Subject, "named", lambda self, clips: asked.append(clips) or named(self, clips))

    rows = by_key(invariance.measure(one))["benign_flips"].details["changes"]

    clips, *changed = asked
    changes = harmless(clips.shape[2])
    assert [row["change"] for row in rows] == list(changes)
    for change, found in zip(changes.values(), changed, strict=True):
        expected = [[change(frame) for frame in clip] for clip in clips[:3]]
        assert np.array_equal(found[:3], expected)
    assert all(row["flips"]["value"] <= 0.05 for row in rows)  # a mean that compares frames keeps its answer


def test_a_film_that_stands_still_says_nothing_of_lost_frames(filmed) -> None:
    one = filmed()
    clips, labels = one.test.some(fading.LEVEL.invariant)
    still = clips.copy()
    still[10:] = still[10:, :1]
    test = replace(one.test, held_out=held_out(still, labels))
    rows = by_key(frames.measure(replace(one, test=test)))["lost_frame_flips"].details["lost_frames"]
    assert {row["flips"]["n"] for row in rows} == {10}

    unmoved = replace(one.test, held_out=held_out(still[10:], labels[10:]))
    found = by_key(frames.measure(replace(one, test=unmoved)))["lost_frame_flips"]
    assert found.value is None
    assert "no film here changes" in found.note


def test_the_file_is_never_asked_about_a_batch_of_one() -> None:
    large = (16, 224, 224, 3)
    assert together(large) == 2
    assert together((32, 32, 3)) == 32


def test_times_are_those_of_one_film(filmed, monkeypatch) -> None:
    monkeypatch.setattr(times, "_SECONDS", 0.3)
    monkeypatch.setattr(times, "_WARM", 20)
    found = by_key(times.serving.measure(filmed(profile=Profile(name="t", serving=True))))
    assert found["latency_ms"].value.value > 0
    assert found["memory_bytes_per_answer"].value is not None


def test_films_are_proven_by_noise_as_one_input(filmed) -> None:
    profile = Profile(name="t", smoothing_sigma=0.05, smoothing_radii=(0.01,))
    [found] = certified_l2.measure(filmed(profile=profile)).statements
    assert found.value.n == 4
    assert found.value.value >= 0.5


def test_copies_of_films_are_looked_for_by_their_middle_frames(filmed) -> None:
    rng = np.random.default_rng(5)
    clips = rng.integers(0, 256, (60, 4, 4, 4, 1), dtype=np.uint8).repeat(4, axis=2).repeat(4, axis=3)
    learned = held_out(np.concatenate([clips[:3], 255 - clips[10:20]]), np.zeros(13, np.int64))
    labels = np.arange(60) % 2
    answers = filmed().predictor.run(clips)
    test = Answered(held_out(clips, labels), answers.probabilities, answers.logits)

    section = health.measure(filmed(test=test, learned=learned))
    assert by_key(section)["near_copies"].value.value == 3 / 60
    assert all(one.image.shape == (16, 16, 1) for strip in section.strips for one in strip.pictures)


def test_the_page_gets_the_middle_frame_and_no_view_of_all_films() -> None:
    clip = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 2, 2, 3), np.uint8)
    shown = Shown(clip, "a film", None)
    assert (shown.image == 2).all()
    assert shown.image.base is None


def test_everything_is_measured_on_films_or_says_why_not(filmed) -> None:
    profile = Profile(name="t", radii=(4.0,), l2_radii=(), limits={"sticker_success": 0.2, "accuracy": 0.5})
    one = filmed(profile=profile, unknown=fading.films(30, seed=9)[0][:, ::-1].copy())
    found = certify(one)
    gates = {judged.statement.claim.key: judged for judged in found.judged}

    assert not {"map50", "miou", "pq"} & gates.keys()
    for measurement in (one for one in every_measurement() if "video" in one.tasks):
        for claim in measurement.claims(profile):
            statement = gates[claim.key].statement
            if measurement.not_for_films:
                assert (statement.value, statement.note) == (None, measurement.not_for_films)
    told = {key for key, judged in gates.items() if judged.statement.value is not None}
    assert {"accuracy", "calibration_error", "set_coverage", "corruption_accuracy", "robust_linf_4"} <= told
    assert {"unknown_far_auroc", "unknown_given_auroc", "strip", "benign_flips", "stream_agreement"} <= told
    assert {"twin_agreement", "batch_agreement", "order_gain", "lost_frame_flips", "aurc"} <= told
    assert gates["sticker_success"].verdict == "insufficient"
    assert (gates["accuracy"].verdict, found.verdict) == ("pass", "insufficient")


def test_pictures_are_told_nothing_of_frames_unless_a_limit_asks(subject) -> None:
    quiet = replace(fading.LEVEL, attacked=2, patched=0, certified=0)
    plain = certify(subject(level=quiet, profile=Profile(name="t")))
    assert not {"order_gain", "stream_agreement"} & {one.statement.claim.key for one in plain.judged}

    asked = certify(subject(level=quiet, profile=Profile(name="t", limits={"order_gain": 0.1})))
    gates = {one.statement.claim.key: one for one in asked.judged}
    assert (gates["order_gain"].verdict, asked.verdict) == ("insufficient", "insufficient")
    assert "only films have frames" in gates["order_gain"].statement.note
