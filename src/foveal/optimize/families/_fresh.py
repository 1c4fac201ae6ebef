"""Candidates that have nothing of the original but its classes: they learn everything anew."""

from typing import Any

import torch

from foveal.core.random import seed_for
from foveal.models import LearnsFromImages, architecture
from foveal.models._cost import cost_of
from foveal.models._outline import outlined
from foveal.optimize.candidate import Candidate, Start
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer


def fresh(start: Start, name: str, built_by: str, arguments: dict[str, Any]) -> Candidate:
    """Return the candidate that an architecture makes.

    Args:
        start: The original gives preprocessing, task and classes; its pictures are shown to what learns from
            them, and the weights follow from its seed and the name.
        name: Of the candidate.
        built_by: File in `models/`.
        arguments: Of its builder besides channels, classes and size.
    """
    preprocess, classes = start.original.preprocess, len(start.original.classes)
    given = {"channels": preprocess.channels, "classes": classes, "size": preprocess.size, **arguments}
    build, task = architecture(built_by).build, start.original.task

    def make() -> Recognizer:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(start.seed, "fresh", name))
            network = build(**given)
        if isinstance(network, LearnsFromImages):
            network.learn_from(learn.normalize(torch.from_numpy(start.shown), preprocess))
        return Recognizer(network.eval(), built_by, given, preprocess, start.original.classes, task)

    with outlined():
        outline = build(**given)
    found = cost_of(outline, start.original.blank.to("meta"), name=built_by, classes=classes)
    return Candidate(
        name, (name,), make, found.macs, found.parameters, rate_share=1.0, kind=built_by, inherits=False
    )
