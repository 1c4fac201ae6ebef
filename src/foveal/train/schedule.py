"""The learning rate as a pure function of how much of the run is over."""


def learning_rate(share: float, *, peak: float, warm_up: float = 0.15, end: float = 0.0) -> float:
    """Return the rate of a triangle: linear up to `peak`, linear down to `end` of it.

    Args:
        share: How much of the run is over, in [0, 1].
        peak: The highest rate.
        warm_up: Share of the run that climbs; 0 starts at the peak.
        end: Last rate as a share of the peak.

    >>> [round(learning_rate(s, peak=1.0, warm_up=0.5), 2) for s in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 0.0]
    """
    if share < warm_up:
        return peak * share / warm_up
    return peak * (1 - (1 - end) * (share - warm_up) / (1 - warm_up))
