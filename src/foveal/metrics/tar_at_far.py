"""How many of the same are accepted where a given share of different ones is.

Source: ISO/IEC 19795-1:2021; in face recognition it is the usual way to state accuracy (NIST FRVT).
"""

import numpy as np

from foveal.metrics.error_rates import ErrorRates


def tar_at_far(rates: ErrorRates, far: float) -> tuple[float, float]:
    """Return the share of accepted pairs of the same, and the lowest threshold that accepts no more others.

    Args:
        rates: Of `metrics.error_rates`.
        far: Share of pairs of different ones that may be accepted, in [0, 1).
    """
    at = int(np.argmax(rates.false_accepts <= far))
    return float(1 - rates.false_rejects[at]), float(rates.thresholds[at])
