"""The error where both kinds of it are as frequent.

Source: ISO/IEC 19795-1:2021; between two thresholds the rates are taken to change in a straight line.
"""

import numpy as np

from foveal.metrics.error_rates import ErrorRates


def equal_error_rate(rates: ErrorRates) -> tuple[float, float]:
    """Return the equal error rate in [0, 1], and the lowest threshold from which fewer are accepted wrongly.

    A score that says nothing gives 0.5, one that separates both kinds 0.

    Args:
        rates: Of `metrics.error_rates`.
    """
    gap = rates.false_rejects - rates.false_accepts  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = max(after - 1, 0)
    width = gap[after] - gap[before]
    share = 0.0 if width == 0 else -gap[before] / width
    value = rates.false_accepts[before] + share * (rates.false_accepts[after] - rates.false_accepts[before])
    return float(value), float(rates.thresholds[after])
