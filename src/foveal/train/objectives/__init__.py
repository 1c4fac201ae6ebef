"""Training methods, one per file: `objectives/<name>.py` defines an `Objective`."""
