"""Where should the sequence of thresholds start? Two rules on simulated recognizers.

    python benchmarks/abstention.py

Prints, for a share of errors that have nothing to do with the confidence (wrong labels, say), how many
pictures are answered at a proven risk of 1 % on average, and how often no threshold can be proven.
Quoted in docs/decisions/0005-calibration-splits.md.
"""

import numpy as np

from foveal.calibrate.abstain import abstain, candidates

REPETITIONS = 200
RISK = 0.01


def draw(n: int, floor: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return confidences of a good recognizer, accuracy about 96 %, and whether each answer is right."""
    confidence = 1 - 0.9 * rng.beta(0.12, 3, n)
    return confidence, (rng.random(n) < confidence) & (rng.random(n) > floor)


def possible(floor: float, rng: np.random.Generator) -> float:
    """Return the largest share of pictures that can be answered at the risk."""
    confidence, correct = draw(400_000, floor, rng)
    wrong = ~correct[np.argsort(-confidence)]
    within = np.flatnonzero(np.cumsum(wrong) / np.arange(1, len(wrong) + 1) <= RISK)
    return float(within[-1] + 1) / len(wrong) if len(within) else 0.0


def answered(proving: int, floor: float, rng: np.random.Generator, *, informed: bool) -> float:
    """Return the share answered; the start is informed by the tuning pictures' errors, or strict."""
    tuning, right = draw(proving // 2, floor, rng)
    known = right if informed else np.zeros_like(right)  # all wrong: no candidate looks clear
    thresholds = candidates(tuning, known, images=proving, risk=RISK)
    confidence, correct = draw(proving, floor, rng)
    threshold = abstain(confidence, correct, thresholds=thresholds, risk=RISK).threshold
    return 0.0 if threshold is None else float((confidence >= threshold).mean())


def main() -> None:
    print("floor   proving   possible   strict start (none)   informed start (none)")
    for floor in (0.0, 0.001, 0.003):
        rng = np.random.default_rng(0)
        best = possible(floor, rng)
        for proving in (600, 1000, 2000, 5000):
            columns = []
            for informed in (False, True):
                shares = [answered(proving, floor, rng, informed=informed) for _ in range(REPETITIONS)]
                columns.append(f"{np.mean(shares):6.2f} ({np.mean(np.equal(shares, 0)):.2f})")
            print(f"{floor:<8}{proving:<10}{best:<11.2f}{columns[0]:<22}{columns[1]}")


if __name__ == "__main__":
    main()
