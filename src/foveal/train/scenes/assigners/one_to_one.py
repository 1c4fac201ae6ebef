"""One-to-one: a single place answers for each object, so that no two answers mean the same one.

Source: Wang et al., "YOLOv10", 2024, §3.1: the place is chosen as in `aligned`. One place for each object is
little to learn from, so answers that several places give learn beside it.
"""

from foveal.train.scenes.assigners.aligned import Aligned


class OneToOne(Aligned):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(most=1)


one_to_one = OneToOne
