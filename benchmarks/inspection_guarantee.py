"""Do the promises of an inspection hold? Thresholds are fitted on many draws of parts whose truth is known.

In each draw, calibration parts are drawn from a source of scores, and `foveal.calibrate.inspection` fits a
rule; of the source it is known which share of defective parts lies below `accept_below`, and of good parts
from `reject_from` on. The promise is that each is above its rate in at most a share delta of the draws.
Beside the rule: what the plug-in quantile does, and what taking the pair with fewest reviews does among all
whose observed rates look good enough.

    python benchmarks/inspection_guarantee.py [--draws 500] [--pairs DEEPPCB]

With `--pairs`, the last source are real scores: of windows of 64 pixels of DeepPCB's boards, with a defect or
without, the share of pixels that differ from the template. Scores are drawn from them with replacement, so
that the share among all of them is the truth; many of the good ones are exactly 0.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from foveal.calibrate.inspection.choosing import between, cheapest
from foveal.calibrate.inspection.fit import Demands, Scores, fit_rule
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.judging import Costs

Floats = NDArray[np.float64]
Pair = tuple[float, float]
COSTS = Costs(miss=200, false_call=10, review=1)
RATE, DELTA, PARTS, DEFECTS = 0.05, 0.05, 200, 0.05
WINDOW = 64


class Source:
    """Scores of parts, and the truth about them."""

    def __init__(self, name: str, good: object, defective: object, decimals: int | None = None) -> None:
        self.name, self.good, self.defective, self.decimals = name, good, defective, decimals

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return scores of good and of defective parts."""
        good, bad = (one.rvs(PARTS, random_state=rng) for one in (self.good, self.defective))
        return (good, bad) if self.decimals is None else (good.round(self.decimals), bad.round(self.decimals))

    def truth(self, accept: float, reject: float) -> Pair:
        """Return the true shares of misses and false calls."""
        if self.decimals is not None:  # below lie all numbers that are rounded to less
            accept, reject = (
                np.ceil(x * 10**self.decimals - 1e-9) / 10**self.decimals for x in (accept, reject)
            )
            accept, reject = (x - 0.5 / 10**self.decimals for x in (accept, reject))
        return float(self.defective.cdf(accept)), float(self.good.sf(reject))


class Pool:
    """Real scores, drawn with replacement."""

    def __init__(self, name: str, good: Floats, defective: Floats) -> None:
        self.name, self.good, self.defective = name, good, defective

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return scores of good and of defective parts."""
        return rng.choice(self.good, PARTS), rng.choice(self.defective, PARTS)

    def truth(self, accept: float, reject: float) -> Pair:
        """Return the true shares of misses and false calls."""
        return float((self.defective < accept).mean()), float((self.good >= reject).mean())


def windows(folder: Path) -> Pool:
    """Score windows of boards: the mean difference from the template, of those shifts that differ least."""
    good, bad = [], []
    for path in sorted(folder.glob("PCBData/*/*/*_test.jpg")):
        boxes = np.loadtxt(
            path.parent.parent / f"{path.parent.name}_not" / path.name.replace("_test.jpg", ".txt"), ndmin=2
        )
        board, template = (np.asarray(Image.open(p).convert("L")) > 127 for p in (path, _template(path)))
        shifts = [np.roll(template, (dy, dx), (0, 1)) != board for dy in range(-2, 3) for dx in range(-2, 3)]
        differs = min(shifts, key=np.count_nonzero)
        for top in range(0, 640, WINDOW):
            for left in range(0, 640, WINDOW):
                inside = (boxes[:, 0] < left + WINDOW) & (boxes[:, 2] > left)
                inside &= (boxes[:, 1] < top + WINDOW) & (boxes[:, 3] > top)
                share = differs[top : top + WINDOW, left : left + WINDOW].mean()
                (bad if inside.any() else good).append(share)
    return Pool("DeepPCB windows", np.array(good), np.array(bad))


def _template(path: Path) -> Path:
    return path.with_name(path.name.replace("_test", "_temp"))


def rule(costs: Costs | None) -> Callable[[Floats, Floats], Pair]:
    """Return what fits a rule."""
    demands = Demands(miss=RATE, false_call=RATE, delta=DELTA, costs=costs, defect_rate=DEFECTS)

    def fitted(good: Floats, bad: Floats) -> Pair:
        found = fit_rule(Scores(good, bad), demands).rule
        accept = -np.inf if found.accept_below is None else found.accept_below
        return accept, np.inf if found.reject_from is None else found.reject_from

    return fitted


def plug_in(good: Floats, bad: Floats) -> Pair:
    """Take the quantiles of the scores themselves."""
    accept = float(np.quantile(bad, RATE, method="lower"))
    return accept, float(np.nextafter(np.quantile(good, 1 - RATE, method="higher"), np.inf))


def chosen_after_looking(good: Floats, bad: Floats) -> Pair:
    """Take the pair with fewest reviews among all whose observed rates keep the promise."""
    middles = between(np.concatenate([good, bad]))
    highest = max((t for t in middles if (bad < t).mean() <= RATE), default=None)
    above = next((m for m in np.unique(good) if (good > m).mean() <= RATE), None)
    cheap = Costs(miss=0, false_call=0, review=1)
    pair = cheapest(good, bad, highest, above, costs=cheap, defect_rate=0.5)
    return (
        -np.inf if pair.accept_below is None else pair.accept_below,
        np.inf if pair.reject_from is None else pair.reject_from,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--pairs", type=Path)
    asked = parser.parse_args()
    sources: list[Source | Pool] = [
        Source("normal, 3 apart", stats.norm(0, 1), stats.norm(3, 1)),
        Source("normal, 1 apart", stats.norm(0, 1), stats.norm(1, 1)),
        Source("normal, 8 apart", stats.norm(0, 1), stats.norm(8, 1)),
        Source("beta, one decimal", stats.beta(1, 8), stats.beta(4, 2), decimals=1),
        Source("heavy tails", stats.t(2), stats.t(2, loc=4)),
    ]
    if asked.pairs is not None:
        sources.append(windows(asked.pairs))
    ways = {
        "fewest reviews": rule(None),
        "cheapest": rule(COSTS),
        "plug-in quantile": plug_in,
        "fewest reviews that look good": chosen_after_looking,
    }
    print(
        f"{asked.draws} draws of {PARTS} good and {PARTS} defective parts; promised {RATE:.0%} at {DELTA:.0%}"
    )
    print("| scores | thresholds | misses above | false calls above | mean misses, false calls |")
    print("| --- | --- | --- | --- | --- |")
    for source in sources:
        for name, way in ways.items():
            rng = np.random.default_rng(0)
            truths = np.array([source.truth(*way(*source.draw(rng))) for _ in range(asked.draws)])
            broken = [clopper_pearson(int(n), asked.draws) for n in (truths > RATE).sum(axis=0)]
            told = " | ".join(f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})" for one in broken)
            print(
                f"| {source.name} | {name} | {told} | {truths.mean(axis=0).round(4).tolist()} |", flush=True
            )


if __name__ == "__main__":
    main()
