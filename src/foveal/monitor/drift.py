"""A bet against "these scores come as those of the calibration did", whose winnings are evidence.

Sources: conformal p-values online and betting against them: Vovk, Nouretdinov & Gammerman, "Testing
exchangeability on-line", ICML 2003, §3 (power martingale); Vovk, "Testing randomness online", Statistical
Science 2021, https://arxiv.org/abs/1906.09256. The bound for all times together: Ville, 1939.

Each score is ranked among all before it, those of the calibration first: p is the share that is larger,
plus, of those as large and of itself, a random part. As long as all scores, of the calibration and since, are
exchangeable, these p are independent and uniform, and who bets on them at fair odds gains nothing: a wealth
of `limit` is ever reached with a probability of at most 1 / limit.

Two things would break that, and both look harmless. Without the random part the p-values are not uniform
where scores are equal, as near certainty they often are. And if scores were ranked among those of the
calibration alone, all would lean on the same few pictures: a calibration that happens to be a little unlike
the rest would be taken for drift, sooner or later, in nearly every run. So each score joins the bag.
"""

from typing import Any

from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.monitor.ranks import Ranks

LIMIT = 100.0
_POWERS = (0.25, 0.5, 0.75, 0.9)
_RICHEST = 1e100  # beyond doubt; more would overflow some day
_SMALLEST = 1e-9
_DRAWN = 1024


class Drift:
    """Evidence that scores have changed; not thread-safe by itself.

    The money is divided in advance (a mixture, so it stays a fair game): a part 1 / (k (k + 1)) of it begins
    to bet at the k-th score, so that what happens late is noticed, too, at the price of a factor; every part
    goes on four ways to bet that scores have become larger, e pᵉ⁻¹, and four that they have become smaller.

    Attributes:
        limit: Of the wealth: above it is an alarm.
        seen: Scores since the calibration.
        wealth: Of 1 at the start. Its largest value ever is `peak`.
        alarm: At which score the wealth reached the limit first; None: never.
    """

    def __init__(
        self, calibration: tuple[float, ...], *, limit: float = LIMIT, seed: int = 0, purpose: str = "score"
    ) -> None:
        """Begin with the scores of calibration pictures that were drawn by chance; they may be none.

        Args:
            calibration: Scores (M,).
            limit: 1 / the largest probability of a false alarm, above 1.
            seed: Of the random parts.
            purpose: Names the score, so that two of them draw differently.

        Raises:
            UsageError: A score that is not finite.
        """
        self._bag = Ranks()
        for score in calibration:
            self._bag.add(score)
        self.limit, self._seed, self._purpose = limit, seed, purpose
        self._bets = [0.0] * (2 * len(_POWERS))
        self._block: tuple[int, list[float]] = (-1, [])
        self.seen = 0
        self.peak = 1.0
        self.alarm: int | None = None

    @property
    def wealth(self) -> float:
        """Evidence against "nothing has changed": what 1 has become."""
        return 1 / (self.seen + 1) + sum(self._bets)

    def see(self, score: float) -> float:
        """Take in the next score, a finite number, and return its p-value, in (0, 1]."""
        above, equal = self._bag.above_and_equal(score)
        p = (above + self._part() * (equal + 1)) / (self._bag.total + 1)
        self._bag.add(score)
        self.seen += 1
        self._bet(p)
        return p

    def _bet(self, p: float) -> None:
        fresh = 1 / (self.seen * (self.seen + 1) * len(self._bets))
        p = max(p, _SMALLEST)
        other = max(1 - p, _SMALLEST)
        for i, power in enumerate(_POWERS):
            high, low = 2 * i, 2 * i + 1
            self._bets[high] = min((self._bets[high] + fresh) * power * p ** (power - 1), _RICHEST)
            self._bets[low] = min((self._bets[low] + fresh) * power * other ** (power - 1), _RICHEST)
        wealth = self.wealth
        self.peak = max(self.peak, wealth)
        if self.alarm is None and wealth >= self.limit:
            self.alarm = self.seen

    def _part(self) -> float:
        """Return the random part of the next score, in (0, 1]; it follows from seed, purpose and number."""
        number, place = divmod(self.seen, _DRAWN)
        if self._block[0] != number:
            rng = stream(self._seed, "monitor", self._purpose, number)
            self._block = number, (1 - rng.random(_DRAWN)).tolist()
        return self._block[1][place]

    def summary(self) -> dict[str, Any]:
        """Return what is known now, in values that JSON knows."""
        return {"wealth": self.wealth, "peak": self.peak, "limit": self.limit, "scores": self.seen}

    def to_json(self) -> dict[str, Any]:
        """Return all that decides how it goes on, in values that JSON knows."""
        return {
            "bag": self._bag.counts(),
            "bets": list(self._bets),
            "limit": self.limit,
            "seed": self._seed,
            "purpose": self._purpose,
            "seen": self.seen,
            "peak": self.peak,
            "alarm": self.alarm,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Drift":
        """Return what `to_json` described.

        Raises:
            UsageError: It is no such description.
        """
        try:
            drift = cls((), limit=document["limit"], seed=document["seed"], purpose=document["purpose"])
            for score, count in document["bag"]:
                drift._bag.add(float(score), int(count))
            drift._bets = [float(bet) for bet in document["bets"]]
            drift.seen, drift.peak, drift.alarm = document["seen"], document["peak"], document["alarm"]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"no state of a monitor: {error!r}", code="bad_state") from error
        if len(drift._bets) != 2 * len(_POWERS):
            raise UsageError("no state of a monitor: it bets otherwise", code="bad_state")
        return drift
