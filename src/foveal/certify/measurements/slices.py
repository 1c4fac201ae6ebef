"""C14: the same numbers for each kind of picture that a table tells apart: source, lighting, shift …."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.profile import Profile
from foveal.certify.subject import Answered, Subject
from foveal.core.wording import counted, listed
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.ece import ece, ece_null
from foveal.tasks.classify.decode import Decision, prediction_sets

_WORST = Claim("worst_slice", "share of right answers in the worst slice", "estimate")


def _claims(profile: Profile) -> Sequence[Claim]:
    return (_WORST,)


def _measure(subject: Subject) -> Section:
    parts = [
        (column, value, places) for column, row in subject.slices.items() for value, places in row.items()
    ]
    if not parts:
        why = "no table tells the pictures apart: --slices TABLE.csv"
        if subject.empty_slices:
            why = "the table says something of other pictures only, or nothing"
        return Section((_WORST.not_measured(why),))
    confidence = 1 - 0.05 / len(parts)  # so that all intervals hold at once
    decision = subject.predictor.decision
    rows = [_row(subject.test, decision, *part, confidence) for part in parts]
    right = {f"{row['column']} {row['value']}": (row["right"], row["n"]) for row in rows}
    note = f"the interval holds for all {len(rows)} slices at once"
    if subject.not_there:
        named = counted(len(subject.not_there), "picture")
        note += f"; the table names {named} that the data do not have: {listed(subject.not_there)}"
    return Section((_WORST.worst(right, unseen=subject.empty_slices, note=note, details={"slices": rows}),))


def _row(
    test: Answered, decision: Decision, column: str, value: str, places: NDArray[np.int64], confidence: float
) -> dict[str, Any]:
    probabilities, labels, right = test.probabilities[places], test.labels[places], test.right[places]
    sets = prediction_sets(probabilities, decision.conformal)
    covered = int(sets[np.arange(len(labels)), labels].sum())
    row = {
        "column": column,
        "value": value,
        "n": len(places),
        "right": int(right.sum()),
        "accuracy": clopper_pearson(int(right.sum()), len(places), confidence).as_json(),
        "set_coverage": clopper_pearson(covered, len(places), confidence).as_json(),
        "mean_set_size": float(sets.sum(axis=1).mean()),
        "ece": ece(probabilities, labels),
        "ece_null_p95": ece_null(probabilities),
        "answered": None,
        "selective_risk": None,
    }
    threshold = decision.abstain.threshold
    if threshold is not None:
        kept = probabilities.max(axis=1) >= threshold
        row["answered"] = clopper_pearson(int(kept.sum()), len(places), confidence).as_json()
        if kept.any():
            row["selective_risk"] = clopper_pearson(
                int((~right & kept).sum()), int(kept.sum()), confidence
            ).as_json()
    return row


slices = Measurement("C14", "Slices", _claims, _measure)
