"""What decides which places are shown, of a recognizer that learned kinds of defects or made-up ones."""

from foveal.calibrate.defect_places import UNKNOWN, above_good, places_shown
from foveal.data.truths import regions_at_size, stated_regions
from foveal.export.defects_sealing import Ask, Decide
from foveal.flows._prepare import Prepared
from foveal.tasks.defect.decode import DefectDecision
from foveal.train.examples import Examples


def deciding_places(prepared: Prepared, calib: Examples, *, masks: bool) -> Decide:
    """Return what decides, given what asks the exported graph.

    Args:
        prepared: The data.
        calib: Pictures that were not learned from.
        masks: Whether masks of defects decide; otherwise good pictures alone do.
    """
    dataset = prepared.dataset
    maps = stated_regions(dataset)
    good = calib.indices[dataset.labels[calib.indices] == 0]

    def decide(ask: Ask) -> DefectDecision:
        if masks and len(calib):
            indices = [int(index) for index in calib.indices]
            truth = [regions_at_size(maps(index), prepared.preprocess) for index in indices]
            return places_shown(ask(calib).maps, truth, dataset.labels[indices] == 0)
        if not masks and len(good):
            return above_good(ask(Examples(calib.images, calib.labels, good)).maps)
        kinds = len(dataset.classes) - 1
        return DefectDecision(thresholds=(UNKNOWN,) * kinds, usual=(0.0,) * kinds, n=0)

    return decide
