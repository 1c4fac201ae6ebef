"""A made-up but consistent evaluation: every number follows from one simulated recognizer."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

Document = dict[str, Any]
CLOTHES = ("bag", "boot", "coat", "dress", "pullover", "sandal", "shirt", "sneaker", "t-shirt", "trouser")


@pytest.fixture(scope="session")
def make_document() -> Callable[..., Document]:
    """Return a maker of `foveal.evaluate/1` documents; its arguments change what was found."""
    return _document


@pytest.fixture
def document() -> Document:
    """Return an evaluation of ten classes on 5,000 images."""
    return _document()


@pytest.fixture(scope="session")
def history() -> list[dict[str, float]]:
    """Rows of a training of 60 epochs on 50,000 images."""
    return [
        {
            "step": round(share * 5860),
            "seen": round(share * 3_000_000),
            "loss": float(2.1 * np.exp(-3 * share) + 0.3),
            "accuracy": float(0.95 - 0.6 * np.exp(-5 * share)),
            "seconds": float(share * 240),
            "learning_rate": float(0.02 * (1 - share)),
        }
        for share in np.linspace(0.01, 1, 60)
    ]


def _document(
    *, classes: Sequence[str] = CLOTHES, images: int = 5000, skill: float = 4.2, proven: bool = True
) -> Document:
    labels, probabilities = _outputs(len(classes), images, skill)
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = answers == labels
    matrix = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(matrix, (labels, answers), 1)
    order = np.argsort(-confidence)
    bins = _bins(confidence, right)
    return {
        "schema": "foveal.evaluate/1",
        "ok": True,
        "bundle": "runs/train-1/fashion.foveal",
        "digest": "4c0f5b1d9a3e72c8b5a6d1e0f3c2b4a5968778695a4b3c2d1e0f9e8d7c6b5a49",
        "task": "classify",
        "split": "test",
        "images": images,
        "classes": list(classes),
        "absent_classes": [name for name, row in zip(classes, matrix, strict=True) if not row.sum()],
        "metrics": {
            **_accuracies(classes, matrix),
            "nll": 0.21,
            "brier": 0.1,
            "ece": sum(b["n"] * abs(b["confidence"] - b["accuracy"]["value"]) for b in bins) / images,
            "ece_null_p95": 0.6 / images**0.5,
            **_decisions(confidence[order], right[order], proven=proven),
            "intervals": {
                name: _around(0.1, images) for name in ("balanced_accuracy", "nll", "brier", "ece")
            },
        },
        "confusion": matrix.tolist(),
        "confused_pairs": _pairs(classes, matrix),
        "reliability": bins,
        "risk_coverage": [
            [n / images, float((~right[order[:n]]).mean())]
            for n in np.unique(np.linspace(1, images, 60).astype(int)).tolist()
        ],
        "worst_mistakes": [
            {
                "source": f"test/{classes[labels[i]]}/{i:05d}.png",
                "truth": classes[labels[i]],
                "label": classes[answers[i]],
                "confidence": float(confidence[i]),
            }
            for i in order[~right[order]][:24]
        ],
        "provenance": {
            "foveal": "0.1.0",
            "engine": "onnxruntime 1.31.1",
            "python": "3.11.7",
            "cpu": "Example CPU @ 2.1 GHz",
            "threads": 2,
            "fingerprint": "9b3f0c",
            "split_seed": 0,
            "seconds": 2.4,
            "images_per_second": 2083.0,
        },
    }


def _outputs(classes: int, images: int, skill: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes))
    scores[np.arange(images), labels] += skill * rng.uniform(0.55, 1.1, classes)[labels]
    scores[:, 0] += 1.5 * (labels == classes - 1)  # one pair that is often confused
    probabilities = np.exp(1.6 * scores)
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def _measured(successes: int, n: int) -> dict[str, Any]:
    low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
    high = stats.beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
    return {
        "value": successes / n,
        "low": float(low),
        "high": float(high),
        "n": n,
        "method": "clopper-pearson",
    }


def _around(value: float, n: int) -> dict[str, Any]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": n, "method": "bootstrap"}


def _accuracies(classes: Sequence[str], matrix: np.ndarray) -> dict[str, Any]:
    sizes, answered, found = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    per_class = [
        {
            "class": name,
            "n": int(sizes[k]),
            "recall": _measured(int(found[k]), int(sizes[k])) if sizes[k] else None,
            "precision": _measured(int(found[k]), int(answered[k])) if answered[k] else None,
        }
        for k, name in enumerate(classes)
    ]
    tested = [row for row in per_class if row["n"]]
    worst = min(tested, key=lambda row: row["recall"]["value"])
    common = int(sizes.argmax())
    return {
        "accuracy": _measured(int(found.sum()), int(matrix.sum())),
        "balanced_accuracy": float(np.mean([row["recall"]["value"] for row in tested])),
        "worst_class": {"class": worst["class"], **worst["recall"]},
        "per_class": per_class,
        "majority": {
            "class": classes[common],
            "accuracy": _measured(int(sizes[common]), int(matrix.sum())),
        },
    }


def _decisions(confidence: np.ndarray, right: np.ndarray, *, proven: bool) -> dict[str, Any]:
    images = len(right)
    risks = np.cumsum(~right) / np.arange(1, images + 1)
    answered = int(np.flatnonzero(risks <= 0.008)[-1]) + 1 if proven else images
    return {
        "coverage_at_risk": {
            "risk": 0.01,
            "delta": 0.05,
            "threshold": float(confidence[answered - 1]) if proven else None,
            **_measured(answered, images),
            "observed_risk": _measured(int((~right[:answered]).sum()), answered),
            "needed": None if proven else 299,
        },
        "conformal": {
            "alpha": 0.1,
            "quantile": 0.6 if proven else None,
            "coverage": _measured(round(images * 0.908), images),
            "mean_set_size": 1.13,
            "singleton_share": 0.86,
        },
    }


def _bins(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    which = np.ceil(confidence * 15).astype(int) - 1
    return [
        {
            "low": b / 15,
            "high": (b + 1) / 15,
            "n": int((which == b).sum()),
            "confidence": float(confidence[which == b].mean()),
            "accuracy": _measured(int(right[which == b].sum()), int((which == b).sum())),
        }
        for b in np.unique(which).tolist()
    ]


def _pairs(classes: Sequence[str], matrix: np.ndarray) -> list[dict[str, Any]]:
    pairs = [
        {"truth": classes[i], "label": classes[j], "count": int(matrix[i, j])}
        for i, j in np.argwhere(matrix)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:10]
