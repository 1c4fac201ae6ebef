"""monitor.Monitor: what it is told, from any number of threads, what it says, and what it compares with."""

import json
import threading

import numpy as np
import pytest

from foveal.calibrate import abstain
from foveal.calibrate.fit import split_roles, unproven
from foveal.calibrate.reference import Looked, watched
from foveal.core.errors import UsageError
from foveal.core.types import Label
from foveal.data.pixels.quality import quality
from foveal.monitor import monitor as monitors
from foveal.monitor.collected import Collected
from foveal.monitor.monitor import Monitor, Seen, seen
from foveal.tasks.classify.decode import Abstain, Conformal, Decision, Unknown
from foveal.tasks.classify.reference import MOST_SCORES, PROPERTIES, Range, Rate, Reference

PLAIN = Decision(
    abstain=Abstain(threshold=0.6, risk=0.01, delta=0.05, n=500),
    conformal=Conformal(alpha=0.1, quantile=0.7, n=500),
)


def pictures(rng, n, *, dark=0):
    return [rng.integers(0, 200 - dark, (16, 16, 3)).astype(np.uint8) // rng.integers(1, 3) for _ in range(n)]


def confidences(rng, n):
    return 1 - rng.beta(0.5, 3, n)


@pytest.fixture(scope="module")
def decision():
    rng = np.random.default_rng(0)
    labels = np.arange(900) % 3
    images, confidence = pictures(rng, 900), confidences(rng, 900)
    return watched(PLAIN, looked(confidence, lambda i: images[i]), split_roles(labels, seed=0))


def looked(confidence, picture, unknown=()):
    return Looked(confidence, np.array(unknown, np.float32), picture)


def answer(confidence):
    return Label("a", "red", float(confidence), bool(confidence < 0.6), ("red",), {})


def fed(monitor, rng, n, *, doubtful=1.0, dark=0):
    for confidence, image in zip(confidences(rng, n), pictures(rng, n, dark=dark), strict=True):
        monitor.observe(answer(max(0.0, 1 - doubtful * (1 - confidence))), image)
    return monitor


def kinds(monitor):
    return {(alarm.kind, alarm.what) for alarm in monitor.alarms()}


def test_pictures_as_those_of_the_calibration_are_no_sign(decision):
    monitor = fed(Monitor(decision), np.random.default_rng(1), 1500)

    state = monitor.state()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert (state["verdict"], state["alarms"], state["pictures"]) == ("no_sign", [], 1500)
    assert state["scores"]["doubt"]["limit"] == 100
    assert state["rejected"]["window"]["n"] == 150
    assert set(state["quality"]) == set(PROPERTIES)


def test_more_doubt_and_darker_pictures_are_told_apart(decision):
    doubtful = fed(Monitor(decision), np.random.default_rng(2), 400, doubtful=2.5)
    dark = fed(Monitor(decision), np.random.default_rng(3), 400, dark=150)

    assert kinds(doubtful) == {("scores", "doubt"), ("rejected", "rejected")}
    assert {kind for kind, _ in kinds(dark)} == {"quality"}
    assert ("quality", "brightness") in kinds(dark)
    darker = next(alarm for alarm in dark.alarms() if alarm.what == "brightness")
    assert (darker.side, dark.state()["verdict"]) == ("below", "changed")
    assert [a.at for a in dark.alarms()] == sorted(a.at for a in dark.alarms())


def test_a_score_for_unknown_objects_is_watched_where_the_bundle_has_one():
    rng = np.random.default_rng(0)
    kept = tuple(sorted(float(f"{x:.3g}") for x in rng.normal(size=199)))
    reference = Reference(doubt=(0.1, 0.2), unknown=kept)
    monitor = Monitor(PLAIN.model_copy(update={"monitor": reference}))
    for score in rng.normal(2, 1, 100):
        monitor.observe(answer(0.85 + 0.1 * rng.random()), unknown=float(score))

    assert monitor.state()["scores"]["unknown"]["limit"] == 200
    assert ("scores", "unknown") in kinds(monitor)


def test_written_down_and_read_again_it_goes_on_as_if_nothing_had_been(decision):
    whole, half = Monitor(decision, seed=3), Monitor(decision, seed=3)
    rng, same = np.random.default_rng(4), np.random.default_rng(4)
    for monitor, source in ((whole, rng), (half, same)):
        fed(monitor, source, 300)
    again = Monitor.from_json(json.loads(json.dumps(half.to_json())), decision)
    for monitor, source in ((whole, rng), (again, same)):
        fed(monitor, source, 300, doubtful=2, dark=90)

    assert whole.alarms()
    assert again.to_json() == whole.to_json()
    assert again.state() == whole.state()


def test_from_many_threads_no_picture_is_lost(decision):
    monitor, image = Monitor(decision), pictures(np.random.default_rng(0), 1)[0]
    note = seen(answer(0.9), image)

    def work():
        for _ in range(200):
            monitor.note(note)
            monitor.state()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alone = Monitor(decision)
    for _ in range(1600):
        alone.note(note)
    assert monitor.to_json() == alone.to_json()


def test_sorted_by_class_a_collection_is_still_no_sign(decision):
    """The trap: folders come class by class, and one class is harder."""
    rng = np.random.default_rng(5)
    collected, in_order = Collected(decision), Monitor(decision)
    image = pictures(rng, 1)[0]
    for confidence in np.sort(confidences(rng, 800)):
        collected(answer(confidence), image)
        in_order.note(Seen(float(confidence), None))

    assert in_order.state()["verdict"] == "changed"
    assert collected.state()["scores"]["doubt"]["peak"] < 100
    assert collected.state()["pictures"] == 800


def test_a_bundle_without_a_reference_or_another_one_is_refused(decision):
    with pytest.raises(UsageError) as caught:
        Monitor(unproven(classes=3))
    assert caught.value.code == "no_reference"

    other = PLAIN.model_copy(update={"monitor": Reference(doubt=(0.1,))})
    for document, expected, code in (
        (Monitor(other).to_json(), decision, "other_bundle"),
        ({}, decision, "bad_state"),
        ({**Monitor(other).to_json(), "drifts": {}}, other, "bad_state"),
        ({**Monitor(other).to_json(), "quality": None}, other, "bad_state"),
    ):
        with pytest.raises(UsageError) as caught:
            Monitor.from_json(document, expected)
        assert caught.value.code == code


def test_what_is_kept_is_a_sample_of_the_proving_pictures_and_small(decision):
    reference = decision.monitor
    assert len(reference.doubt) == MOST_SCORES
    assert list(reference.doubt) == sorted(reference.doubt)
    assert len(json.dumps(decision.model_dump(mode="json")["monitor"], indent=1)) < 6000
    assert reference.rejected.n == 600
    assert {place.n for place in reference.quality.values()} == {600}
    for place in reference.quality.values():
        assert place.below + place.above == pytest.approx(30, abs=25)


def test_ranges_are_of_the_tuning_pictures_and_counts_of_the_others():
    rng = np.random.default_rng(0)
    images, roles = pictures(rng, 90), (np.arange(30), np.arange(30, 90))
    for i in range(30, 90):
        images[i] = np.full((16, 16, 3), 250, np.uint8)

    reference = watched(PLAIN, looked(np.full(90, 0.5), lambda i: images[i]), roles).monitor

    place = reference.quality["brightness"]
    assert place.high <= max(quality(image)["brightness"] for image in images[:30]) * 1.01
    assert (place.below, place.above, place.n) == (0, 60, 60)
    assert reference.rejected == Rate(count=60, n=60)


def test_evenly_spaced_scores_would_not_be_a_sample(decision):
    """What is kept differs with the seed, as a draw by chance does."""
    rng = np.random.default_rng(0)
    image, confidence = pictures(rng, 1)[0], confidences(rng, 900)
    roles = split_roles(np.zeros(900, int))

    kept = {
        watched(PLAIN, looked(confidence, lambda _: image), roles, seed=seed).monitor.doubt
        for seed in (0, 0, 1)
    }
    assert len(kept) == 2


def test_without_a_threshold_nothing_is_declined_and_nothing_counted():
    never = PLAIN.model_copy(update={"abstain": Abstain(threshold=None, risk=0.01, delta=0.05, n=9)})
    image = np.zeros((16, 16, 3), np.uint8)

    found = watched(never, looked(np.full(9, 0.5), lambda _: image), (np.arange(3), np.arange(3, 9)))

    assert found.monitor.rejected is None
    monitor = Monitor(found)
    monitor.observe(Label("a", "red", 0.5, None, ("red",), {}), image)
    assert monitor.state()["rejected"] is None


def test_as_many_thresholds_are_allowed_for_as_the_calibration_tries():
    assert monitors.THRESHOLDS == abstain._MOST


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Rate(count=3, n=2),
        lambda: Range(low=2, high=1, below=0, above=0, n=1),
        lambda: Range(low=1, high=1, below=1, above=1, n=1),
        lambda: Reference(doubt=(0.1,) * 200),
    ],
)
def test_a_reference_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"share|low is at most|at most 199"):
        wrong()


def test_what_is_taken_for_unknown_is_rejected_too():
    image = np.zeros((16, 16, 3), np.uint8)
    rule = Unknown(score="energy", threshold=2.0, alpha=0.05, n=100)
    decision = PLAIN.model_copy(update={"unknown": rule})
    confidence, scores = np.array([0.9, 0.9, 0.9, 0.5, 0.9]), [3.0, 1.0, 1.0]

    found = watched(
        decision, looked(confidence, lambda _: image, scores), (np.arange(2), np.arange(2, 5))
    ).monitor

    assert found.rejected == Rate(count=2, n=3)
    assert found.unknown == (1.0, 1.0, 3.0)
    assert seen(Label("a", "red", 0.9, False, ("red",), {}, unknown=True)).rejected is True
    assert seen(Label("a", "red", 0.9, None, ("red",), {}, unknown=None)).rejected is None
