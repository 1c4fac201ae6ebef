"""What is learned of where something is, one per file: `objectives/<name>.py` defines a `SceneObjective`.

The file of a network says in `LEARNS` which of them teaches it.
"""
