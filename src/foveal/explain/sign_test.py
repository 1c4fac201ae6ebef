"""Are the maps of a method better than random ones? One answer for all pictures, beside one for each.

Of a dozen unrelated maps, one holds in nearly every second run; all pictures together say more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.explain.explanation import Explanation
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson

LEVEL = 0.05


@dataclass(frozen=True)
class SignTest:
    """On how many pictures the maps of a method are better than random ones, and whether that may be luck.

    Attributes:
        method: Its name.
        better: Share of the pictures whose map is better than most of its random maps, that is 10 of 19.
        p_value: Probability of so many or more if maps had nothing to do with the pictures: then each is
            better than most with probability 1/2.
    """

    method: str
    better: Measured
    p_value: float

    @property
    def verdict(self) -> Literal["pass", "undetermined"]:
        """`pass` where the p-value is at most 0.05; else so many may be luck, or the pictures are too few."""
        return "pass" if self.p_value <= LEVEL else "undetermined"

    def as_json(self) -> dict[str, Any]:
        """Return the document's `sign_test`."""
        return {
            "method": self.method,
            "better": self.better.as_json(),
            "p_value": self.p_value,
            "verdict": self.verdict,
        }


def sign_test(method: str, explanations: Sequence[Explanation]) -> SignTest:
    """Return on how many pictures the maps of a method are better than random ones, by an exact test.

    Equal maps are no better. Of two maps of a picture the first counts: they rest
    on the same answers.

    Source: Conover, "Practical Nonparametric Statistics", 3rd edition, 1999, §3.4 (the sign test).

    Args:
        method: Its name.
        explanations: At least one.

    Raises:
        UsageError: There is none.
    """
    if not explanations:
        raise UsageError("a verdict on a method needs at least one map", code="empty")
    first = {one.source: one for one in reversed(explanations)}.values()
    better, n = sum(one.beaten > len(one.chance) / 2 for one in first), len(first)
    return SignTest(method, clopper_pearson(better, n), binomial_cdf(n - better, n, 0.5))
