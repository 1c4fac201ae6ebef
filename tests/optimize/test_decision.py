"""optimize.decision: what is recommended, what is shown, and what is said of the rest."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize.budget import Budget
from foveal.optimize.decision import Field
from foveal.optimize.decision import decide as judge
from foveal.optimize.labels import Pictures
from foveal.optimize.variant import Speed, Variant
from foveal.optimize.verdicts import drop_words

IMAGES = 400
TRUTH = np.zeros(IMAGES, dtype=np.int64)
PICTURES = Pictures.of(TRUTH, labelled=True)


def decide(variants, pictures, budget):
    """Judge variants of which one is really faster than another where their intervals are apart."""
    faster = [[one.speed.ratio_high < other.speed.ratio_low for other in variants] for one in variants]
    return judge(Field(variants, pictures, np.array(faster)), budget)


def speed(ratio, *, noise=0.02):
    spread = (ratio * (1 - noise), ratio * (1 + noise))
    return Speed(
        engine="onnxruntime",
        precision="fp32",
        threads=1,
        p50=1e-3 * ratio,
        p99=2e-3 * ratio,
        low=1e-3 * spread[0],
        high=1e-3 * spread[1],
        ratio=ratio,
        ratio_low=spread[0],
        ratio_high=spread[1],
        real=abs(ratio - 1) > noise,
        rounds=20,
    )


def variant(name, *, ratio=1.0, size=1_000_000, wrong=40, noise=0.02, memory=None):
    answers = np.zeros(IMAGES, dtype=np.int64)
    answers[:wrong] = 1
    return Variant(
        name, (), f"{name}.foveal", 10, 100, size, answers, speed(ratio, noise=noise), peak_bytes=memory
    )


ORIGINAL = variant("original")


class TestRecommendation:
    @pytest.mark.parametrize(("wrong", "expected"), [(36, "taught"), (41, "rounded")])
    def test_what_was_taught_goes_first_only_where_the_limit_is_shown_to_be_kept(self, wrong, expected):
        taught = replace(variant("taught", ratio=0.2, wrong=wrong), steps=("half", "distill"))
        rows = [ORIGINAL, replace(variant("rounded", ratio=0.5), steps=("quantize",)), taught]
        high = PICTURES.drop(ORIGINAL.answers, taught.answers).high

        assert decide(rows, PICTURES, Budget(drop=0.01)).recommended == expected
        assert (high <= 0.01) == (expected == "taught")
        assert decide([ORIGINAL, taught], PICTURES, Budget(drop=0.01)).recommended == "taught"

    def test_the_fastest_within_the_limit_on_accuracy(self) -> None:
        rows = [ORIGINAL, variant("good", ratio=0.5, wrong=42), variant("bad", ratio=0.2, wrong=80)]

        found = decide(rows, PICTURES, Budget(drop=0.01))

        assert found.recommended == "good"
        assert found.feasible
        assert [row.code for row in found.rows] == ["original", "recommended", "outside"]
        assert found.rows[2].broken == ("drop",)

    def test_a_gain_within_the_noise_is_none(self) -> None:
        rows = [ORIGINAL, variant("lucky", ratio=0.97, noise=0.05)]

        found = decide(rows, PICTURES, Budget())

        assert found.recommended == "original"
        assert found.rows[1].code == "no_real_gain"
        assert "no real gain" in found.words or "nothing that was tried is a real gain" in found.words

    def test_of_two_that_are_equally_fast_the_smaller(self) -> None:
        rows = [
            ORIGINAL,
            variant("large", ratio=0.500, size=900_000),
            variant("small", ratio=0.505, size=300_000),
        ]

        assert decide(rows, PICTURES, Budget()).recommended == "small"

    def test_the_aim_decides_among_those_within_the_limits(self) -> None:
        rows = [
            ORIGINAL,
            variant("quick", ratio=0.2, size=500_000, wrong=43),
            variant("tiny", ratio=0.4, size=100_000, wrong=43),
            variant("exact", ratio=0.8, size=800_000, wrong=20),
        ]

        chosen = {aim: decide(rows, PICTURES, Budget(aim=aim)).recommended for aim in AIMS}
        assert chosen == {"latency": "quick", "size": "tiny", "accuracy": "exact"}

    def test_a_smaller_file_that_is_slower_is_taken_only_where_size_is_the_aim(self) -> None:
        rows = [ORIGINAL, variant("slow", ratio=1.5, size=200_000)]

        assert decide(rows, PICTURES, Budget()).recommended == "original"
        assert decide(rows, PICTURES, Budget(aim="size")).recommended == "slow"


AIMS = ("latency", "size", "accuracy")


class TestInfeasible:
    def test_it_says_what_would_be_feasible(self) -> None:
        rows = [ORIGINAL, variant("small", ratio=0.5, size=300_000, wrong=41)]

        found = decide(rows, PICTURES, Budget(latency_seconds=0.1e-3, size_bytes=400_000))

        assert not found.feasible
        assert found.recommended is None
        assert found.nearest["latency"] == pytest.approx(0.5e-3)
        assert "not feasible" in found.words
        assert "0.5 ms" in found.words

    @pytest.mark.parametrize(
        ("limits", "broken"),
        [
            ({"latency_seconds": 0.9e-3}, ("latency",)),
            ({"p99_seconds": 1.9e-3}, ("p99",)),
            ({"latency_seconds": 0.9e-3, "p99_seconds": 2e-3}, ("latency",)),
            ({"size_bytes": 999_999}, ("size",)),
            ({"memory_bytes": 50}, ("memory",)),
            ({"size_bytes": 1, "memory_bytes": 1}, ("size", "memory")),
        ],
    )
    def test_each_limit_is_kept_or_named(self, limits, broken) -> None:
        found = decide([variant("original", memory=100)], PICTURES, Budget(**limits))

        assert found.rows[0].broken == broken
        assert set(found.nearest) == set(broken)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 2), st.integers(10_000, 2_000_000), st.integers(0, 100)),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_recommended_keeps_the_limits_and_no_other_is_better_in_all(made) -> None:
    rows = [ORIGINAL, *(variant(f"v{i}", ratio=r, size=s, wrong=w) for i, (r, s, w) in enumerate(made))]
    budget = Budget(drop=0.05)

    found = decide(rows, PICTURES, budget)

    chosen = next(row for row in found.rows if row.variant.name == found.recommended)
    gaining = [row for row in found.rows if row.code in ("recommended", "feasible", "dominated")]
    assert not chosen.broken  # the original keeps these, so something is always recommended
    assert chosen.variant is not ORIGINAL or gaining == [chosen]
    for row in gaining:
        assert not row.variant.speed.ratio_high < chosen.variant.speed.ratio_low
    assert any(row.pareto for row in found.rows)


class TestNoise:
    def test_a_limit_is_not_kept_by_nothing_but_noise(self) -> None:
        """The original breaks it by a hair, and what keeps it by a hair is not really faster."""
        rows = [variant("original", ratio=1.0), variant("lucky", ratio=0.99, noise=0.05)]

        found = decide(rows, PICTURES, Budget(latency_seconds=0.995e-3))

        assert not found.feasible
        assert found.rows[1].broken == ("latency",)

    @pytest.mark.parametrize(
        ("tail", "broken"), [((1.5, 1.9), ()), ((1.5, 2.2), ("p99",)), ((None, None), ("p99",))]
    )
    def test_a_shorter_tail_is_one_whose_interval_lies_apart(self, tail, broken) -> None:
        """Both medians are the same: the 99th percentile is judged by its own interval."""
        low, high = tail
        speeds = speed(1.0), speed(1.0)
        ends = [(2.0e-3, 2.4e-3), (low and low * 1e-3, high and high * 1e-3)]
        values = [2.1e-3, 1.7e-3]
        rows = [
            replace(variant(name), speed=replace(one, p99=value, p99_low=ends[0], p99_high=ends[1]))
            for name, one, value, ends in zip(("original", "steady"), speeds, values, ends, strict=True)
        ]

        found = decide(rows, PICTURES, Budget(p99_seconds=2e-3))

        assert found.rows[0].broken == ("p99",)
        assert found.rows[1].broken == broken
        assert found.feasible is (broken == ())

    def test_one_picture_more_is_no_reason_to_take_a_slower_and_larger_one(self) -> None:
        rows = [ORIGINAL, variant("luckier", ratio=3.0, size=3_000_000, wrong=39)]

        found = decide(rows, PICTURES, Budget(aim="accuracy"))

        assert found.recommended == "original"
        assert found.rows[0].pareto

    def test_what_is_really_faster_than_another_is_asked_of_the_two_themselves(self) -> None:
        """Beside the original both intervals overlap; beside each other one is faster in every round."""
        rows = [
            ORIGINAL,
            variant("slow", ratio=0.60, size=490_000, noise=0.2),
            variant("fast", ratio=0.50, size=500_000, noise=0.2),
        ]
        faster = np.array([[False] * 3, [True, False, False], [True, True, False]])

        assert judge(Field(rows, PICTURES, faster), Budget()).recommended == "fast"


class TestUnproven:
    """An estimate that keeps a limit is not called proven where the end of its interval breaks it."""

    @pytest.mark.parametrize(
        ("limits", "unproven"),
        [
            ({"drop": 0.01}, ("drop",)),
            ({"drop": 0.5}, ()),
            ({"drop": 0.5, "latency_seconds": 0.505e-3}, ("latency",)),
            ({"drop": 0.5, "latency_seconds": 0.52e-3}, ()),
            ({"drop": 0.5, "p99_seconds": 9e-3}, ("p99",)),
            ({"drop": 0.01, "latency_seconds": 0.4e-3}, ("drop",)),  # what is broken is not unproven, too
        ],
    )
    def test_limits_are_proven_by_the_ends_of_intervals(self, limits, unproven) -> None:
        rows = [ORIGINAL, variant("half", ratio=0.5, wrong=41)]  # nobody knows the ends of its p99

        assert decide(rows, PICTURES, Budget(**limits)).rows[1].unproven == unproven

    @given(st.integers(0, 60), st.floats(0, 0.2))
    def test_of_answers_it_is_just_what_the_interval_says(self, wrong, most) -> None:
        found = decide([ORIGINAL, variant("other", wrong=wrong)], PICTURES, Budget(drop=most)).rows

        drop = found[1].drop
        assert ("drop" in found[1].unproven) == (drop.value <= most < drop.high)
        assert "drop" not in found[0].unproven

    @pytest.mark.parametrize("labelled", [True, False])
    @pytest.mark.parametrize("wrong", [0, 41, 80])
    def test_whatever_is_said_of_answers_has_its_n_and_an_interval(self, labelled, wrong) -> None:
        first = ORIGINAL if labelled else variant("original", wrong=0)
        pictures = Pictures.of(TRUTH, labelled=labelled)

        row = decide([first, variant("other", ratio=0.5, wrong=wrong)], pictures, Budget(drop=0.9)).rows[1]

        assert "400" in row.words
        assert f"{100 * row.drop.high:.1f}".lstrip("-") in row.words
        assert "2.00× as fast (1.96 to 2.04)" in row.words


class TestPictures:
    def test_without_labels_the_original_is_always_right(self) -> None:
        answers = np.arange(50) % 3
        pictures = Pictures.of(answers, labelled=False)

        assert pictures.accuracy(answers).value == 1.0
        assert pictures.drop(answers, np.where(np.arange(50) < 5, 9, answers)).value == pytest.approx(0.1)

    def test_all_pictures_are_in_the_estimate_and_what_belongs_together_counts_once_in_the_interval(self):
        units, answers = np.repeat(np.arange(20), 5), np.zeros(100, dtype=np.int64)
        pictures = Pictures.of(np.zeros(100, dtype=np.int64), labelled=True, units=units)
        changed = answers.copy()
        changed[7] = 1  # one picture of one unit

        assert pictures.accuracy(answers).n == 20
        for found in (pictures.drop(answers, changed), pictures.changed(changed, since=answers)):
            assert found.value == pytest.approx(0.01), "not 0.05: the other four are answered as before"
            assert found.high > 0.15, "as wide as with 20 pictures"


class TestBudget:
    @pytest.mark.parametrize(
        "wrong",
        [
            *({"latency_seconds": 0.0}, {"p99_seconds": 0.0}, {"size_bytes": -1}, {"seconds": 0.0}),
            *({"drop": 1.5}, {"drop": -0.1}, {"aim": "speed"}, {"aim": "Latency"}),
        ],
    )
    def test_what_nobody_can_have_is_refused(self, wrong) -> None:
        with pytest.raises(UsageError):
            Budget(**wrong)


def test_a_difference_that_was_not_shown_is_not_called_equal() -> None:
    same = PICTURES.drop(ORIGINAL.answers, variant("same", wrong=41).answers)
    worse = PICTURES.drop(ORIGINAL.answers, variant("worse", wrong=80).answers)

    assert drop_words(same).startswith("no difference shown")
    assert drop_words(worse).startswith("worse by 10.0 points")


def test_memory_that_nobody_measured_is_not_called_kept() -> None:
    found = decide([variant("original", memory=None)], PICTURES, Budget(memory_bytes=10**9))

    assert found.rows[0].broken == ("memory",)
    assert "memory" not in found.nearest


class TestWithoutLabels:
    """The truth is what the original names: nothing agrees with it better than itself."""

    PICTURES = Pictures.of(TRUTH, labelled=False)

    def test_the_drop_is_the_share_of_changed_answers_with_the_interval_of_a_share(self) -> None:
        rows = [variant("original", wrong=0), variant("other", ratio=0.5, wrong=3)]

        found = decide(rows, self.PICTURES, Budget(drop=0.01))

        assert found.rows[0].drop == clopper_pearson(0, IMAGES)
        assert found.rows[1].drop == clopper_pearson(3, IMAGES)
        assert found.recommended == "other"
        assert "0.8 % of the answers changed (0.2 to 2.2, n=400)" in found.words
        assert "points" not in found.words

    @given(st.integers(0, IMAGES), st.integers(0, IMAGES), st.integers(0, IMAGES))
    def test_accuracy_never_falls_by_more_than_the_share_that_changed(self, right, changed, offset) -> None:
        labels = np.where(np.arange(IMAGES) < right, 0, 1)  # the original names all of them 0
        after = np.roll(np.where(np.arange(IMAGES) < changed, 2, 0), offset)

        fallen = Pictures.of(labels, labelled=True).drop(TRUTH, after).value

        assert fallen <= self.PICTURES.changed(after).value + 1e-12

    def test_what_would_be_feasible_is_said_in_answers(self) -> None:
        rows = [variant("original", wrong=0), variant("other", ratio=0.5, wrong=40)]

        found = decide(rows, self.PICTURES, Budget(latency_seconds=0.6e-3, drop=0.01))

        assert found.recommended is None
        assert "drop 10.0 % of the answers" in found.words
