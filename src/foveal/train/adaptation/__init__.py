"""How a trained network gets used to pictures of a new environment without labels, one method per file.

`adaptation/<name>.py` defines `SETTINGS`, its numbers by name, and

    <name>(recognizer, pictures, settings, *, seed, threads, progress) -> Adapted

The recognizer is left alone; what comes back differs from it in the batch norm of its network and in nothing
else. The labels of `pictures` are all 0.
"""
