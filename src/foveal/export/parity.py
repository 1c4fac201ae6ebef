"""Does the exported file decide as the trained network does? Asked of real pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.ways import MOST_FLIPS_OF
from foveal.core.types import Gate, Measured
from foveal.metrics.clopper_pearson import clopper_pearson

MAX_DIFFERENCE = 1e-4
CLEAR_MARGIN = 2e-4


@dataclass(frozen=True)
class Parity:
    """How far the file is from the network.

    Attributes:
        max_abs_difference: Largest |Δp| over all images and classes; None: a file answers with no number that
            could be compared.
        decision_flips: Share of what is decided that is decided otherwise: of images that are given another
            label.
        clear_flips: Flips where the two best probabilities were further apart than rounding explains.
        images: How many real images were compared.
        unit: What is decided: `pictures`, `objects` or `pixels`.
        borne: Clear flips that no gate fails for: of thousands of objects two may overlap by just as much as
            makes doubles, and the last bit decides which of them is dropped.
    """

    max_abs_difference: float | None
    decision_flips: Measured
    clear_flips: int
    images: int
    unit: str = "pictures"
    borne: int = 0

    def gate(self) -> Gate:
        """Return the verdict: |Δp| ≤ 1e-4 and no flip with a margin above 2e-4 but those borne."""
        difference = 0.0 if self.max_abs_difference is None else self.max_abs_difference
        passed = difference <= MAX_DIFFERENCE and self.clear_flips <= self.borne
        return Gate(
            id="parity",
            name="the exported file decides as the trained network",
            verdict="pass" if passed else "fail",
            value=difference,
            limit=MAX_DIFFERENCE,
        )

    def rounded_gate(self) -> Gate:
        """Return the verdict on coarser numbers: at most 0.5 % of the images get another label.

        Of objects or pixels it is 2 %.
        """
        flips, most = self.decision_flips.value, MOST_FLIPS_OF[self.unit]
        return Gate(
            id="flips",
            name="the rounded file decides as the one in float32",
            verdict="pass" if flips <= most else "fail",
            value=flips,
            limit=most,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the contract's `parity` object."""
        return {
            "max_abs_difference": self.max_abs_difference,
            "decision_flips": self.decision_flips.as_json(),
            "clear_flips": self.clear_flips,
            "images": self.images,
            "unit": self.unit,
        }


def compare(reference: NDArray[np.float32], exported: NDArray[np.float32]) -> Parity:
    """Compare probabilities of the same images.

    Args:
        reference: Of the trained network in float32, (N, K), N ≥ 1.
        exported: Of the file that ships, (N, K).
    """
    flipped = reference.argmax(1) != exported.argmax(1)
    best_two = np.sort(reference, axis=1)[:, -2:]
    clear = flipped & (best_two[:, 1] - best_two[:, 0] > CLEAR_MARGIN)
    return Parity(
        max_abs_difference=float(np.abs(reference.astype(np.float64) - exported).max()),
        decision_flips=clopper_pearson(int(flipped.sum()), len(flipped)),
        clear_flips=int(clear.sum()),
        images=len(flipped),
    )


def worst(*found: Parity) -> Parity:
    """Return the one that is furthest from passing: one that fails, if any does."""
    return max(
        found,
        key=lambda one: (
            one.gate().verdict == "fail",
            one.clear_flips - one.borne,
            one.max_abs_difference or 0.0,
        ),
    )
