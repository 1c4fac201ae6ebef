"""optimize.shortlist: what cannot help gets no lesson, and what is left differs."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate
from foveal.optimize.shortlist import Criteria, affordable, promising

CRITERIA = Criteria(macs=1000, parameters=100_000, accuracy=0.9, chance=0.1, budget=Budget())


def candidate(name="one", *, macs=500, parameters=50_000, score=None, predicted=None) -> Candidate:
    inherits = score is not None
    return Candidate(
        name,
        (name,),
        lambda: None,
        macs,
        parameters,
        rate_share=1.0,
        kind="nano",
        inherits=inherits,
        score=score,
        predicted={} if predicted is None else {"fp32": 4 * predicted, "int8": predicted},
    )


@st.composite
def several(draw):
    return [
        candidate(
            f"c{index}",
            macs=draw(st.integers(1, 1200)),
            parameters=draw(st.integers(1, 120_000)),
            score=draw(st.none() | st.floats(0, 1)),
            predicted=draw(st.none() | st.floats(1e-4, 1e-2)),
        )
        for index in range(draw(st.integers(0, 8)))
    ]


class TestAffordable:
    def test_what_saves_less_than_a_quarter_is_left_out_unless_the_file_counts(self) -> None:
        one = candidate(macs=800)

        assert affordable([one], CRITERIA) == {"one": "saves_little"}
        assert affordable([one], replace(CRITERIA, budget=Budget(aim="size"))) == {}

    def test_what_is_foreseen_beyond_a_limit_is_left_out_with_room_for_error(self) -> None:
        criteria = replace(CRITERIA, budget=Budget(latency_seconds=1e-3, size_bytes=60_000))
        found = [
            candidate("slow", predicted=1.4e-3),
            candidate("nearly", predicted=1.2e-3),
            candidate("large", parameters=90_000),
        ]

        assert affordable(found, criteria) == {"slow": "too_slow", "large": "too_large"}

    def test_where_a_limit_leaves_nothing_the_smallest_says_what_would_be_feasible(self) -> None:
        criteria = replace(CRITERIA, budget=Budget(latency_seconds=1e-6))
        found = [
            candidate("whole", macs=1000, predicted=2e-3),
            candidate("half", macs=500, predicted=1e-3),
            candidate("tenth", macs=100, predicted=4e-4),
        ]

        assert affordable(found, criteria) == {"whole": "saves_little", "half": "too_slow"}

    def test_tiny_ones_are_tried_only_where_a_limit_rules_out_the_others(self) -> None:
        found = [candidate("half", predicted=1e-3), candidate("tiny", macs=50, predicted=1e-4)]
        tight = replace(CRITERIA, budget=Budget(latency_seconds=2e-4))

        assert affordable(found, CRITERIA) == {"tiny": "smaller_than_needed"}
        assert affordable(found, tight) == {"half": "too_slow"}


class TestPromising:
    @given(several(), st.integers(1, 5))
    def test_every_candidate_is_taken_or_left_out_for_a_reason(self, found, most) -> None:
        names, gone = promising(found, CRITERIA, most=most)

        assert len(names) <= most
        assert sorted([*names, *gone]) == sorted(one.name for one in found)

    @given(several(), st.integers(1, 5))
    def test_no_one_that_is_taken_is_bettered_by_another(self, found, most) -> None:
        names, _ = promising(found, CRITERIA, most=most)
        taken = [one for one in found if one.name in names and one.score is not None and not one.predicted]

        for one in taken:
            assert not any(
                other.score > one.score and other.macs < one.macs and other.parameters < one.parameters
                for other in taken
            )

    def test_what_has_forgotten_nearly_all_gets_no_lesson_and_what_knows_nothing_yet_does(self) -> None:
        found = [candidate("lost", score=0.25), candidate("knows", score=0.27), candidate("fresh", macs=400)]

        names, gone = promising(found, CRITERIA, most=4)

        assert gone == {"lost": "forgot"}
        assert sorted(names) == ["fresh", "knows"]

    def test_the_surest_comes_first_and_then_what_differs_most(self) -> None:
        found = [
            candidate("a", macs=700, parameters=70_000, score=0.8),
            candidate("b", macs=650, parameters=65_000, score=0.79),
            candidate("c", macs=200, parameters=20_000, score=0.5),
        ]

        names, gone = promising(found, CRITERIA, most=2)

        assert names == ["a", "c"]
        assert gone == {"b": "alike"}
