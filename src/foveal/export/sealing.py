"""From a trained recognizer to a sealed bundle: export, calibrate the file, compare it, seal it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import foveal
from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.manifest import Data, Draft, Licenses, Model, Rule
from foveal.calibrate.fit import DEFAULT, Promises
from foveal.calibrate.temperature import calibrated
from foveal.core import files
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.data.attributes import Attribute
from foveal.export.deciding import decided, monitored
from foveal.export.graph import graph, with_temperature
from foveal.export.outputs import outputs, spread
from foveal.export.parity import Parity, compare
from foveal.export.rejection import with_rejection
from foveal.models._cost import macs
from foveal.tasks.recognizer import Recognizer, weights_bytes
from foveal.train.examples import Examples

_NOT_STATED = Licenses(code=None, weights=None, data=None)


@dataclass(frozen=True)
class Origin:
    """Where a recognizer comes from and what it is to keep, as far as its maker says.

    Attributes:
        data: What it was made from; its seed divides the calibration images.
        source: Where its weights began: `scratch`, or the name of what they were fine-tuned from.
        licenses: Of code, weights and data.
        made_from: Digest of the bundle that it was made smaller from, or None.
        steps: What was done to that one, in order.
        promises: What its decision rule is to guarantee.
        fit: Images at model size that it learned from, labelled: what they look like inside the network
            tells unknown pictures; None: only the logits can.
        things: Of a panoptic recognizer the classes whose objects are counted, by label.
        attributes: What a detector tells of objects beside their class.
    """

    data: Data
    source: str = "not stated"
    licenses: Licenses = _NOT_STATED
    made_from: str | None = None
    steps: tuple[str, ...] = ()
    promises: Promises = DEFAULT
    fit: Examples | None = field(default=None, repr=False, compare=False)
    things: tuple[int, ...] | None = None
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class Exported:
    """What came out of an export.

    Attributes:
        parity: How near the file is to the network.
        bundle: The sealed file, or None where the parity gate failed.
    """

    parity: Parity
    bundle: Path | None


def bundle(
    recognizer: Recognizer,
    path: str | Path,
    *,
    calib: Examples,
    origin: Origin,
    test: Examples | None = None,
    threads: int | None = None,
) -> Exported:
    """Export a recognizer, calibrate it on the exported graph's own outputs, compare the two, and seal.

    A file that is there is replaced. Where the graph does not decide as the network does, no file is there
    afterwards: an earlier one would be taken for this one.

    Args:
        recognizer: The weights that ship, and the preprocessing they learned with.
        path: The bundle to write; its name ends in `.foveal`.
        calib: Images at model size that were not learned from, N ≥ 1, labelled with indices into the
            recognizer's classes: confidence, threshold and sets are fitted on them. Of those that belong
            together (`calib.units`) one proves.
        origin: Where the recognizer comes from.
        test: More images to compare file and network on; nothing is fitted on them.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        UsageError: No calibration image, a label that is no class, or another size or number of channels than
            the preprocessing's.
        BundleError, WriteError: It cannot be sealed.
    """
    held_out = [calib] if test is None else [calib, test]
    _check(calib, held_out if origin.fit is None else [*held_out, origin.fit], recognizer)
    threads = threads or usable_cpus()
    model = graph(recognizer)
    _, logits = outputs(onnxruntime(model, threads=threads).run, [calib])
    seed = origin.data.split_seed
    temperature, decision = decided(logits, calib, promises=origin.promises, seed=seed)
    model = with_temperature(model, temperature)
    model, unknown, scores = with_rejection(model, fit=origin.fit, calib=calib, threads=threads, seed=seed)
    decision = decision.model_copy(update={"unknown": unknown})
    decision = monitored(decision, calibrated(logits, temperature), scores, calib, seed=seed)
    session = onnxruntime(model, threads=threads)
    compared = spread(held_out)
    exported, _ = outputs(session.run, compared)
    reference = np.concatenate([recognizer.logits(some.images[some.indices]) for some in compared])
    parity = compare(calibrated(reference, temperature), exported)
    if parity.gate().verdict != "pass":
        files.remove(Path(path))
        return Exported(parity, None)
    draft = draft_of(recognizer, decision, origin, temperature=temperature)
    vectors = golden.measure(session, recognizer.preprocess)
    archive.seal(path, draft, model=model, golden=vectors, force=True)
    return Exported(parity, Path(path))


def _check(calib: Examples, held_out: list[Examples], recognizer: Recognizer) -> None:
    preprocess = recognizer.preprocess
    needed = preprocess.shape
    for examples in held_out:
        if examples.images.dtype != np.uint8 or examples.images.shape[1:] != needed:
            raise UsageError(
                f"need uint8 images (M, {', '.join(map(str, needed))}); "
                f"got {examples.images.dtype} {examples.images.shape}",
                hint="recognizer.preprocess brings pictures to that size",
            )
    if len(calib) == 0:
        raise UsageError("a recognizer is calibrated on one image or more; got none", code="empty")
    labels, classes = calib.labels[calib.indices], len(recognizer.classes)
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(
            f"labels are indices from 0 to {classes - 1}; got {labels.min()} to {labels.max()}",
            hint="the order is that of recognizer.classes",
        )


def draft_of(recognizer: Recognizer, rule: Rule, origin: Origin, *, temperature: float = 1.0) -> Draft:
    """Return what the manifest of a recognizer states.

    Args:
        recognizer: The weights that ship.
        rule: From what the graph answers to what is said.
        origin: Where it comes from.
        temperature: What the logits of a classifier are divided by.
    """
    return Draft(
        foveal=foveal.__version__,
        task=recognizer.task,
        classes=recognizer.classes,
        preprocess=recognizer.preprocess,
        decision=rule,
        temperature=temperature,
        model=_model(recognizer, origin),
        weights_sha256=hashlib.sha256(weights_bytes(recognizer)).hexdigest(),
        data=origin.data,
        licenses=origin.licenses,
    )


def _model(recognizer: Recognizer, origin: Origin) -> Model:
    """Return what a manifest says of the network."""
    return Model(
        name=recognizer.architecture,
        parameters=sum(p.numel() for p in recognizer.network.parameters()),
        macs=macs(recognizer.network, recognizer.blank),
        source=origin.source,
        origin=origin.made_from,
        steps=origin.steps,
    )
