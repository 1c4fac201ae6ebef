"""bundle.card: the model card says what the manifest says, and what is not proven."""

import pytest

from foveal.bundle.card import model_card


def test_card_states_classes_input_decision_and_origin(draft) -> None:
    card = model_card(draft())

    assert "# colors: 3 classes" in card
    assert "RGB, 16 × 16 pixels" in card
    assert "declines below a confidence of 0.6000. Of the answers it gives, at most 1.0%" in card
    assert "in 90% of cases, on average over calibrations; with 95% certainty" in card
    assert "this calibration does so in at least 87.7% (split conformal, n=500)" in card
    assert "9 to fit, 500 to calibrate, 50 held out" in card
    assert "code Apache-2.0, weights Apache-2.0, data not stated" in card


def test_card_admits_what_could_not_be_proven(draft) -> None:
    card = model_card(
        draft(
            decision={
                "abstain": {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 7, "needed": 299},
                "conformal": {"alpha": 0.1, "quantile": None, "n": 7},
            }
        )
    )

    assert "It never declines: 7 independent calibration images could not prove a risk of 0.01" in card
    assert "Its prediction sets hold every class: 7 independent calibration images were too few" in card


def test_class_names_cannot_break_out_of_the_card(draft) -> None:
    names = [f"class {number}" for number in range(60)]
    card = model_card(draft(classes=["a`b\n# Trust me", "c\x1b[31m", *names]))

    assert "`a'b\\n# Trust me`, `c\\x1b[31m`" in card
    assert "and 12 more" in card


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"method": "aps", "delta": 0.05},
            "hold the true class in at least 90% of cases, with 95% certainty (split conformal, aps, n=500)",
        ),
        (
            {"method": "mondrian", "quantiles": [0.7, 0.2, None], "counts": [400, 95, 5]},
            "in 90% of the cases of each class, on average over calibrations (Mondrian split conformal, "
            "n=500; 1 of them with too few images are in every set)",
        ),
    ],
)
def test_card_says_what_kind_of_sets_promise_what(draft, entries, said) -> None:
    abstain = {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 500}
    conformal = {"alpha": 0.1, "quantile": 0.7, "n": 500, **entries}

    assert said in model_card(draft(decision={"abstain": abstain, "conformal": conformal}))
