"""Prediction sets that hold the true class as often as promised, whatever the network is worth.

Each file is a rule: a function of calibrated probabilities, labels and `alpha` that returns a `Conformal`;
the images were used for nothing else. With `delta` the promise holds for the images that were drawn, see
`calibrate.pac_rank`, not on average over draws.
"""
