"""Scores that tell pictures of unknown things from known ones, one file each.

A function `name(known) -> Score | None` fits a score on what a graph answers for pictures that it learned
from; larger means more unknown. None: that score cannot be had, for want of features, of pictures or of
bytes. The `Score` says both in numpy and as a row of standard ONNX operators how it is computed. No single
score is best everywhere (Zhang et al., "OpenOOD v1.5", 2023), so `calibrate.unknown` chooses.
"""
