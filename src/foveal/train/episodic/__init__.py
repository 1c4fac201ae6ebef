"""Few-shot methods, one per file: `episodic/<name>.py` defines an `Episodic` called like the file.

`maml.py` defines `Maml`. Each learns from episodes (`_episodes.py`): W classes that are drawn anew for every
task, a few support pictures of each to adapt to and query pictures to be judged by. It goes through the loop
of `train/loop.py`, which sees what its `draw` returns, and the same `answers` that training differentiates
also measures.

A file also states `SETTINGS`, what can be set about the method, and `USUAL`, the episodes and steps that it
learns from where nobody says otherwise.
"""
