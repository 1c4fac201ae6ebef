"""What the most confident mistakes rest on: a map for the answer, and one for the true class."""

from collections.abc import Mapping, Sequence

from foveal.bundle.predictor import Predictor
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.data.dataset import UInt8
from foveal.explain.black_box.occlusion import COARSE_ANSWERS, occlusion_maps
from foveal.explain.scores import Float32

MOST = 12  # of the mistakes that a page shows: a report should not take longer than what it reports
ANSWERS_EACH = COARSE_ANSWERS + 1  # and one for the whole picture

Maps = tuple[Float32, Float32]


def mistake_maps(
    predictor: Predictor,
    mistakes: Sequence[tuple[str, str, str]],
    pictures: Mapping[str, UInt8],
    *,
    threads: int,
    progress: Progress,
) -> dict[str, Maps]:
    """Return the occlusion maps of the first 12 mistakes that have a picture, by source.

    Args:
        predictor: The file that ships; opened with one thread, because pictures are worked on side by side.
        mistakes: Source, answer and true class of each, the most confident first.
        pictures: At model size, uint8 (size, size, channels), by source.
        threads: So many pictures at once.
        progress: Told after each picture.

    Returns:
        For each source the map of the answer and the map of the true class, float32 (16, 16).
    """
    shown = [mistake for mistake in mistakes if mistake[0] in pictures][:MOST]

    def maps(mistake: tuple[str, str, str]) -> Maps:
        source, label, truth = mistake
        indices = [predictor.classes.index(name) for name in (label, truth)]
        for_label, for_truth = occlusion_maps(predictor, pictures[source], indices, fine=False)
        return for_label, for_truth

    found: dict[str, Maps] = {}
    for mistake, both in zip(shown, in_order(maps, shown, workers=threads, name="foveal-maps"), strict=True):
        found[mistake[0]] = both
        progress("maps", len(found), len(shown))
    return found
