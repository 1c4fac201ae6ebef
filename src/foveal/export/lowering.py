"""From a sealed bundle and another graph for the same network to a second bundle, calibrated anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import foveal
from foveal.bundle import archive, golden
from foveal.bundle.archive import Members
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.manifest import Model
from foveal.calibrate.fit import Promises, unproven
from foveal.calibrate.temperature import calibrated
from foveal.core.machine import usable_cpus
from foveal.export.deciding import decided, monitored
from foveal.export.graph import with_temperature
from foveal.export.outputs import outputs
from foveal.export.rejection import with_rejection
from foveal.export.unknown import without_unknown
from foveal.train.examples import Examples


@dataclass(frozen=True)
class Lowering:
    """What was done to a graph.

    Attributes:
        model: The new graph: same input, same outputs as the bundle's.
        precision: In which it holds its weights.
        steps: What was done, in order.
    """

    model: bytes
    precision: Literal["fp32", "int8", "int4"]
    steps: tuple[str, ...]


def lowered(
    source: Members,
    lowering: Lowering,
    path: Path,
    *,
    calib: Examples | None,
    fit: Examples | None = None,
    threads: int | None = None,
) -> None:
    """Seal the bundle of another graph.

    Temperature, thresholds, sets and what tells unknown pictures are fitted anew on what the new graph
    answers, to the same promises. Without labelled pictures nothing that was promised of the first graph is
    promised of this one: it abstains from nothing, its sets hold all classes, and it takes no picture for
    unknown.

    Args:
        source: The first bundle.
        lowering: The other graph.
        path: The bundle to write; one that is there is replaced.
        calib: Images at model size that were not learned from, labelled; None: there are none.
        fit: Images that were learned from; see `export.sealing.bundle`.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        BundleError: The new graph cannot be run, or does not stand alone.
        WriteError: It cannot be written.
    """
    threads = threads or usable_cpus()
    temperature, promises = source.manifest.temperature, Promises.of(source.manifest.decision)
    decision = unproven(promises, classes=len(source.manifest.classes))
    model = with_temperature(without_unknown(lowering.model), temperature)
    if calib is not None and len(calib):
        _, logits = outputs(onnxruntime(model, threads=threads).run, [calib])
        seed = source.manifest.data.split_seed
        temperature, decision = decided(logits, calib, promises=promises, seed=seed)
        model = with_temperature(model, temperature)
        model, unknown, scores = with_rejection(model, fit=fit, calib=calib, threads=threads, seed=seed)
        decision = decision.model_copy(update={"unknown": unknown})
        decision = monitored(decision, calibrated(logits, temperature), scores, calib, seed=seed)
    session = onnxruntime(model, threads=threads)
    changed = lowered_model(source, lowering)
    draft = source.manifest.draft(
        foveal=foveal.__version__,
        model=changed,
        temperature=temperature,
        decision=decision,
        inspection=None,  # it was proven with the scores of the other graph
    )
    vectors = golden.measure(session, draft.preprocess)
    archive.seal(path, draft, model=model, golden=vectors, force=True)


def lowered_model(source: Members, lowering: Lowering) -> Model:
    """Return what the manifest of the other graph says of the network."""
    before = source.manifest.model
    return before.model_copy(
        update={
            "precision": lowering.precision,
            "steps": (*before.steps, *lowering.steps),
            "origin": before.origin or source.manifest.digest,
        }
    )
