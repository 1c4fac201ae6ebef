"""Measurements of objects: scores that are shares pass, thresholds promise and say what is missing."""

from types import SimpleNamespace

import numpy as np
import pytest

from foveal.certify.level import level
from foveal.certify.measurements.objects import objects
from foveal.certify.measurements.objects_scores import objects_scores
from foveal.certify.measurements.objects_thresholds import objects_thresholds
from foveal.certify.measurements.scene_corruptions import scene_corruptions
from foveal.certify.profile import Profile
from foveal.certify.scene_subject import Located, SceneSubject
from foveal.certify.verdicts import judge
from foveal.core.errors import UsageError
from foveal.data.preprocess import GREY, Preprocess
from foveal.metrics._above import above
from foveal.metrics._found import Found, Truth
from foveal.metrics.match import match

CLASSES = ("bolt", "nut")
PLACES = 12  # where something may be on a picture


def picture(rng: np.random.Generator, *, honest: float = 1.0) -> tuple[Found, Truth]:
    """Return findings at fixed places whose scores are the share that is there, raised to a power."""
    corners = 20.0 * np.arange(PLACES)[:, None] * np.ones(4)
    boxes = corners + np.array([0, 0, 10, 10])
    labels = np.arange(PLACES) % len(CLASSES)
    chance = rng.beta(0.4, 0.4, PLACES).clip(0.06, 0.99)
    there = rng.random(PLACES) < chance
    found = Found(boxes, chance**honest, labels)
    return found, Truth(boxes[there], labels[there], np.zeros(int(there.sum()), np.bool_))


def pictures(count: int, seed: int, **how) -> list[tuple[Found, Truth]]:
    rng = np.random.default_rng(seed)
    return [picture(rng, **how) for _ in range(count)]


def together(done):
    found, truths = zip(*done, strict=True)
    return match(found, truths, classes=len(CLASSES), ious=[0.5], most=300)


def only(truth: Truth, label: int) -> Truth:
    mine = truth.labels == label
    return Truth(truth.boxes[mine], truth.labels[mine], truth.ignored[mine])


def located(done) -> Located:
    return Located(range(len(done)), lambda place: np.zeros((4, 4, 3), np.uint8), done)


def subject(test, *, proving=None, counted=(0, 1), **profile):
    rule = SimpleNamespace(thresholds=(0.5, 0.5), objects=300)
    return SimpleNamespace(
        task="detect",
        objects=together,
        counted=counted,
        predictor=SimpleNamespace(classes=CLASSES, manifest=SimpleNamespace(objects=rule)),
        test=located(test),
        proving=None if proving is None else located(proving),
        tuning=() if proving is None else tuple(range(0, len(proving), 3)),
        level=level("smoke"),
        profile=Profile(name="mine", **profile),
        seed=0,
    )


def stated(section):
    return {one.claim.key: one for one in section.statements}


def verdict(statement, limit):
    [one] = judge([statement], {statement.claim.key: limit})
    return one.verdict


def test_objects_are_measured_with_the_class_that_is_found_worst() -> None:
    found = stated(objects.measure(subject(pictures(60, 0))))

    rows = {row["class"]: row["ap50"]["value"] for row in found["worst_class_ap50"].details["classes"]}
    assert found["map50"].value.value == pytest.approx(np.mean(list(rows.values())))
    assert found["worst_class_ap50"].value.value == min(rows.values())
    assert rows[found["worst_class_ap50"].details["worst"]] == min(rows.values())


def test_a_class_without_objects_lets_nothing_pass() -> None:
    bolts = [(found, only(truth, 0)) for found, truth in pictures(60, 1)]
    section = objects.measure(subject(bolts))
    found = stated(section)

    assert found["worst_class_ap50"].details["absent"] == ["nut"]
    assert verdict(found["worst_class_ap50"], 0.1) == "insufficient"
    assert verdict(found["map50"], 0.1) == "insufficient"
    assert section.says


def test_honest_scores_keep_a_limit_and_others_miss_it() -> None:
    honest = stated(objects_scores.measure(subject(pictures(400, 2))))["score_error"]
    bold = stated(objects_scores.measure(subject(pictures(400, 3, honest=0.3))))["score_error"]

    assert honest.value.value < 0.04
    assert verdict(honest, 0.1) == "pass"
    assert bold.value.value > 0.1
    assert verdict(bold, 0.05) == "fail"


def test_honest_scores_are_not_called_dishonest_on_few_pictures() -> None:
    told = [stated(objects_scores.measure(subject(pictures(40, seed))))["score_error"] for seed in range(30)]

    assert sum(verdict(one, 0.01) == "fail" for one in told) <= 2
    assert np.mean([one.value.value for one in told]) > 0.02  # the number itself has chance in it


def test_thresholds_that_promise_keep_it_on_other_pictures() -> None:
    proving, test = pictures(300, 4), pictures(300, 5)
    found = stated(objects_thresholds.measure(subject(test, proving=proving)))

    matches = together(test)
    for key, shown in (("promised_recall_90", "truths"), ("promised_precision_90", "found")):
        statement = found[key]
        rows = {row["class"]: row for row in statement.details["classes"]}
        assert set(rows) == set(CLASSES)
        assert statement.value.value >= 0.9
        assert verdict(statement, 0.85) == "pass"
        for label, name in enumerate(CLASSES):
            kept = (matches.labels == label) & (matches.scores >= rows[name]["threshold"])
            right = np.bincount(matches.images[kept & matches.right[0]], minlength=len(test))
            whole = (
                matches.truths[:, label]
                if shown == "truths"
                else np.bincount(matches.images[kept], minlength=len(test))
            )
            share = (right[whole > 0] / whole[whole > 0]).mean()
            assert rows[name]["here"]["value"] == pytest.approx(share)


def test_a_promise_alone_shows_a_looser_limit_that_few_test_pictures_cannot() -> None:
    few = pictures(8, 6)
    promised = stated(objects_thresholds.measure(subject(few, proving=pictures(600, 7))))
    assert verdict(promised["promised_recall_90"], 0.8) == "pass"
    assert verdict(promised["promised_recall_90"], 0.95) == "insufficient"


def test_thresholds_keep_their_promise_on_all_pictures_that_come_about_so_but_for_few_calibrations() -> None:
    world = together(pictures(4000, 11))
    few, tries, broken, proven = pictures(4, 12), 60, 0, 0
    for seed in range(tries):
        calibrated = subject(few, proving=pictures(70, 100 + seed), precisions=())
        found = stated(objects_thresholds.measure(calibrated))["promised_recall_90"]
        limits = [row["threshold"] for row in found.details["classes"]]
        kept = above(world, np.array([np.nan if limit is None else limit for limit in limits]))
        there = world.truths > 0
        recalls = [
            (kept.right[there[:, label], label] / world.truths[there[:, label], label]).mean()
            for label, limit in enumerate(limits)
            if limit is not None
        ]
        proven += len(recalls)
        broken += any(recall < 0.9 for recall in recalls)

    assert proven > tries  # of two classes
    # With a chance of 5 % of breaking it, more than 8 of 60 come about once in 250 times. Thresholds that
    # find just 90 % on the calibration pictures break it in five of six calibrations.
    assert broken <= 8


def test_of_what_is_panoptic_only_classes_that_are_counted_are_promised() -> None:
    bolts = [(found, only(truth, 0)) for found, truth in pictures(300, 13)]
    whole = subject(bolts[:60], proving=bolts[60:], precisions=())
    some = subject(bolts[:60], proving=bolts[60:], precisions=(), counted=(0,))

    [both], [one] = (objects_thresholds.measure(asked).statements for asked in (whole, some))

    assert [row["class"] for row in one.details["classes"]] == ["bolt"]
    assert verdict(both, 0.8) == "insufficient"
    assert verdict(one, 0.8) == "pass"
    assert one.details["classes"][0]["threshold"] > both.details["classes"][0]["threshold"]


def test_what_cannot_be_proven_says_how_many_pictures_would_do() -> None:
    found = stated(objects_thresholds.measure(subject(pictures(50, 8), proving=pictures(20, 9))))
    statement = found["promised_recall_90"]

    assert all(row["threshold"] is None and row["needed"] > 20 for row in statement.details["classes"])
    assert statement.value is None
    assert "would do" in statement.note
    assert verdict(statement, 0.85) == "insufficient"


def test_without_calibration_pictures_nothing_is_promised() -> None:
    found = stated(objects_thresholds.measure(subject(pictures(20, 10), recalls=(0.8, 0.95), precisions=())))

    assert set(found) == {"promised_recall_80", "promised_recall_95"}
    assert all(one.value is None and "not at hand" in one.note for one in found.values())


def test_where_nothing_is_there_on_the_pictures_that_would_be_changed_it_is_said() -> None:
    def worth(done):
        raise UsageError("not defined", code="empty")

    rare = SimpleNamespace(
        test=located([None] * 5),
        worth=worth,
        level=SimpleNamespace(corrupted=3),
        measure=SimpleNamespace(name="map50"),
        task="detect",
        takes_films=False,
    )

    found = scene_corruptions.found(rare).statements

    assert len(found) == 3
    assert all(one.value is None and "nothing is there on any of the 3" in one.note for one in found)


def test_the_grey_beside_a_picture_is_never_changed() -> None:
    preprocess = Preprocess(
        size=32, width=48, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    sizes = [(10, 30), (30, 10), (20, 30)]
    changed = np.random.default_rng(0).integers(0, 100, (2, 32, 48, 3), dtype=np.uint8)
    of_pictures = SimpleNamespace(
        measure=SimpleNamespace(size=lambda index: sizes[index]),
        predictor=SimpleNamespace(preprocess=preprocess),
        test=SimpleNamespace(indices=[2, 1, 0]),
    )

    found = SceneSubject.framed(of_pictures, changed, [2, 1])

    grey = np.ones((2, 32, 48), bool)
    grey[0, :16, :48] = grey[1, :32, :11] = False
    assert ((found == GREY).all(axis=3) == grey).all()
    assert (found[~grey] == changed[~grey]).all()
