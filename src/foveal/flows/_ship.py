"""From a trained recognizer to a sealed bundle: export, compare, calibrate, seal."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch.utils.flop_counter import FlopCounterMode

import foveal
from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.manifest import Data, Draft, Images, Licenses, Model
from foveal.bundle.session import Float32, Session, UInt8
from foveal.calibrate.fit import fit_decision
from foveal.calibrate.temperature import calibrated
from foveal.export.graph import graph, with_temperature
from foveal.export.parity import Parity, compare
from foveal.flows._prepare import Prepared
from foveal.tasks.recognizer import Recognizer

_BATCH = 256
_COMPARED = 1000  # images of the parity gate; the contract asks for 500


@dataclass(frozen=True)
class Shipped:
    """What came out of the export.

    Attributes:
        parity: How near the file is to the network.
        bundle: The sealed file, or None where the parity gate failed.
    """

    parity: Parity
    bundle: Path | None


def ship(recognizer: Recognizer, prepared: Prepared, path: Path, *, threads: int) -> Shipped:
    """Export, calibrate on the exported graph's own outputs, compare with the network, and seal.

    Args:
        recognizer: The averaged weights.
        prepared: Gives the calibration images; the test images are only used to compare two computations.
        path: The bundle to write.
        threads: Of the engine.
    """
    split, store = prepared.split, prepared.store
    model = graph(recognizer)
    _, logits = run_all(onnxruntime(model, threads=threads), store.images, split.calib)
    temperature, decision = fit_decision(logits, store.labels[split.calib], seed=split.seed)
    model = with_temperature(model, temperature)
    session = onnxruntime(model, threads=threads)
    held_out = np.concatenate([split.calib, split.test])
    chosen = held_out[np.linspace(0, len(held_out) - 1, min(len(held_out), _COMPARED)).astype(np.int64)]
    exported, _ = run_all(session, store.images, chosen)
    reference = calibrated(recognizer.logits(store.images[chosen]), temperature)
    parity = compare(reference, exported)
    if parity.gate().verdict != "pass":
        return Shipped(parity, None)
    draft = Draft(
        foveal=foveal.__version__,
        classes=recognizer.classes,
        preprocess=recognizer.preprocess,
        decision=decision,
        temperature=temperature,
        model=_model(recognizer),
        weights_sha256=_weights_hash(recognizer),
        data=Data(
            fingerprint=split.fingerprint,
            split_seed=split.seed,
            images=Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test)),
        ),
        licenses=Licenses(code="Apache-2.0", weights=None, data=None),
    )
    archive.seal(path, draft, model=model, golden=golden.measure(session, recognizer.preprocess), force=True)
    return Shipped(parity, path)


def run_all(session: Session, images: UInt8, indices: np.ndarray) -> tuple[Float32, Float32]:
    """Return probabilities and logits, each (M, K), for the rows `indices` of stored images."""
    parts = [
        session.run(np.ascontiguousarray(images[indices[start : start + _BATCH]]))
        for start in range(0, len(indices), _BATCH)
    ]
    return np.concatenate([p for p, _ in parts]), np.concatenate([z for _, z in parts])


def _model(recognizer: Recognizer) -> Model:
    preprocess = recognizer.preprocess
    picture = torch.zeros(1, preprocess.channels, preprocess.size, preprocess.size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        recognizer.network(picture)
    return Model(
        name=recognizer.architecture,
        parameters=sum(p.numel() for p in recognizer.network.parameters()),
        macs=counter.get_total_flops() // 2,
        source="scratch",
    )


def _weights_hash(recognizer: Recognizer) -> str:
    tensors = {name: t.contiguous() for name, t in recognizer.network.state_dict().items()}
    return hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()
