"""monitor.production: counts by lot and day, the order of kinds, and alarms that come when they should."""

import numpy as np
import pytest

from foveal.core.errors import DataError
from foveal.monitor.production import Production


def records(n, *, seed=0, shift=0.0, lot="a", day="2026-11-29"):
    """Return decisions of a line whose scores are normal: rejected above 1.5, reviewed above 1."""
    rng = np.random.default_rng(seed)
    for number, score in enumerate(rng.normal(shift, 1, n).tolist()):
        verdict = "reject" if score >= 1.5 else "review" if score >= 1 else "accept"
        yield {
            "n": number + 1,
            "what": "decision",
            "time": f"{day}T10:00:{number % 60:02}.000Z",
            "source": f"{lot}/{number}.png",
            "verdict": verdict,
            "score": score,
            "reasons": {"review": ["unsure"], "reject": ["defective"]}.get(verdict, []),
            "kinds": ["scratch", "dent"] if score >= 2 else ["scratch"] if score >= 1 else [],
            "bundle": "f" * 64,
            "lot": lot,
        }


def test_every_decision_is_counted_in_its_lot_and_day_and_nothing_else_is() -> None:
    one, two = list(records(300)), list(records(200, seed=1, lot=None, day="2026-11-30"))
    late = {**one[0], "what": "late_answer", "late_of": 1}
    found = Production.of([*one, late, *two])

    assert found.whole.n == 500
    assert {name: tally.n for name, tally in found.lots.items()} == {"a": 300, "–": 200}
    assert list(found.days) == ["2026-11-29", "2026-11-30"]
    accepted = sum(record["verdict"] == "accept" for record in one)
    told = found.lots["a"].as_json()
    assert told["accept"]["value"] == accepted / 300
    assert told["accept"]["low"] < told["accept"]["value"] < told["accept"]["high"]
    assert (told["first"][:10], found.whole.last[:10]) == ("2026-11-29", "2026-11-30")
    assert found.whole.reasons == {"unsure": found.whole.verdicts["review"]}
    assert found.bundles == {"f" * 64: 500}


def test_kinds_are_those_of_rejected_parts_the_most_frequent_first() -> None:
    log = list(records(1000))
    found = Production.of(log).pareto()
    scratched = sum(record["verdict"] == "reject" for record in log)
    dented = sum(record["score"] >= 2 for record in log)

    assert [(row["kind"], row["parts"]) for row in found] == [("scratch", scratched), ("dent", dented)]
    assert found[0]["share"] == scratched / (scratched + dented)
    assert found[-1]["cumulative"] == 1
    assert found[0]["days"] == {"2026-11-29": scratched}
    assert Production.of(records(5, shift=-9)).pareto() == []


def test_a_line_that_stays_as_it_is_raises_no_alarm() -> None:
    told = [Production.of(records(1000, seed=seed), baseline=200).alarms for seed in range(10)]

    assert sum(bool(alarms) for alarms in told) <= 1


def test_a_change_is_told_by_scores_and_by_verdicts() -> None:
    found = Production.of([*records(1000), *records(600, seed=1, shift=1.0)])
    told = {alarm["what"]: alarm["part"] for alarm in found.alarms}

    assert {"scores", "accept", "reject"} <= set(told)
    assert all(1000 < part <= 1600 for part in told.values())


def test_before_the_baseline_is_full_verdicts_are_not_compared() -> None:
    assert Production.of(records(499)).shares == {}
    assert set(Production.of(records(100), baseline=100).shares) == {"accept", "reject", "review"}


def test_what_has_no_score_is_counted_and_no_evidence() -> None:
    broken = {"time": "2026-11-30T00:00:00Z", "verdict": "review", "score": None, "reasons": ["truncated"]}
    found = Production.of([*records(10), broken])

    assert found.whole.n == 11
    assert found.scores is None
    later = Production.of([*records(10), broken, *records(5)], baseline=10)
    assert (later.whole.n, later.scores.seen) == (16, 5)
    assert found.whole.reasons["truncated"] == 1


@pytest.mark.parametrize(
    "change", [{"verdict": "maybe"}, {"time": None}, {"score": "high"}, {"verdict": None}]
)
def test_what_is_no_decision_is_refused(change) -> None:
    [record] = records(1)
    with pytest.raises(DataError) as caught:
        Production.of([{**record, **change}])

    assert caught.value.code == "bad_log"
