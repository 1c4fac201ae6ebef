"""The learning rate as a pure function of how much of the run is over."""


def learning_rate(share: float, *, peak: float, warm_up: float = 0.0) -> float:
    """Return the rate of a straight line from `peak` down to 0, after a straight line up to it.

    Orthogonalized steps on normalized filters need no warm-up and start at the top.

    Args:
        share: How much of the run is over, in [0, 1].
        peak: The highest rate.
        warm_up: Share of the run in which the rate rises, in [0, 1).

    >>> [learning_rate(share, peak=0.5) for share in (0.0, 0.5, 1.0)]
    [0.5, 0.25, 0.0]
    >>> [learning_rate(share, peak=0.5, warm_up=0.5) for share in (0.25, 0.5, 0.75)]
    [0.25, 0.5, 0.25]
    """
    if share < warm_up:
        return peak * share / warm_up
    return peak * (1 - share) / (1 - warm_up)
