"""The learning rate as a pure function of how much of the run is over."""


def learning_rate(share: float, *, peak: float) -> float:
    """Return the rate of a straight line from `peak` down to 0.

    It starts at the top: orthogonalized steps on normalized filters need no warm-up.

    Args:
        share: How much of the run is over, in [0, 1].
        peak: The first rate.

    >>> [learning_rate(share, peak=0.5) for share in (0.0, 0.5, 1.0)]
    [0.5, 0.25, 0.0]
    """
    return peak * (1 - share)
