"""From a bundle in float32 to the one that was asked for: each stage is a sealed file behind its own gate."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from foveal.bundle import archive
from foveal.bundle.engines.openvino import LARGEST
from foveal.bundle.footprint import footprint
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Float32
from foveal.bundle.ways import REFERENCE, Way
from foveal.calibrate.temperature import calibrated
from foveal.core.progress import Progress, silent
from foveal.core.task import OBJECT_TASKS, SCENE_TASKS
from foveal.core.types import Gate
from foveal.data.truths import Stated, stated
from foveal.export.ir import with_ir
from foveal.export.lowering import lowered
from foveal.export.outputs import outputs, spread
from foveal.export.parity import Parity, compare
from foveal.export.scene_lowering import lowered_scenes
from foveal.export.scene_parity import parity_of_files, parity_with_network
from foveal.flows._prepare import Prepared
from foveal.optimize.rounding import rounded, some
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

OPENVINO = "openvino"


@dataclass(frozen=True)
class Stage:
    """One sealed file, compared with the one before it.

    Attributes:
        path: The file; it is there even where the gate failed.
        parity: How far its decisions are.
        gate: The verdict.
    """

    path: Path
    parity: Parity
    gate: Gate

    @property
    def passed(self) -> bool:
        """Whether the file may ship."""
        return self.gate.verdict == "pass"


@dataclass(frozen=True)
class Workbench:
    """What stages work with.

    Attributes:
        folder: For their files.
        prepared: The pictures with their roles: fit shows integers their ranges, calib calibrates, and calib
            and test are compared on.
        threads: Of the engines.
        progress: Told about what takes long.
    """

    folder: Path
    prepared: Prepared = field(repr=False)
    threads: int
    progress: Progress = silent

    def compared(self) -> list[Examples]:
        """Return the pictures of the parity gate."""
        return spread([self.prepared.examples("calib"), self.prepared.examples("test")])

    @property
    def stated(self) -> Stated | None:
        """What gives the objects of a picture by its row; None where none are stated."""
        dataset = self.prepared.dataset
        return stated(dataset, self.prepared.preprocess) if dataset.task in OBJECT_TASKS else None

    def opened(self, bundle: Path, *, engine: str = REFERENCE) -> Predictor:
        """Return a sealed file, run in float32."""
        return Predictor.open(bundle, engine=engine, precision="fp32", threads=self.threads)

    def probabilities(self, bundle: Path, *, engine: str = REFERENCE) -> Float32:
        """Return what a sealed file answers for them in float32, (M, K)."""
        return outputs(self.opened(bundle, engine=engine).run, self.compared())[0]


def round_off(bench: Workbench, source: Path, variant: str) -> Stage:
    """Seal a rounded file, its confidence and thresholds fitted anew, and count which decisions changed.

    Args:
        bench: Where and on which pictures.
        source: The sealed file in float32, which has passed its own gate.
        variant: One of `optimize.rounding.ROUNDINGS`.

    Raises:
        BundleError: `nothing_rounded`, or the rounded graph does not run.
    """
    path = bench.folder / f"{variant}{archive.SUFFIX}"
    before = archive.read(source)
    fit, calib = bench.prepared.examples("fit"), bench.prepared.examples("calib")
    lowering = rounded(before.model, some(fit), variant, progress=bench.progress)
    if before.manifest.task in SCENE_TASKS:
        lowered_scenes(before, lowering, path, calib=calib, stated=bench.stated, threads=bench.threads)
        parity = parity_of_files(bench.opened(source), bench.opened(path), bench.compared())
    else:
        lowered(before, lowering, path, calib=calib, fit=fit, threads=bench.threads)
        parity = compare(bench.probabilities(source), bench.probabilities(path))
    return Stage(path, parity, parity.rounded_gate())


def with_openvino(bench: Workbench, source: Path, recognizer: Recognizer) -> Stage:
    """Seal a file with OpenVINO's own form of its graph inside, and compare how that decides.

    It runs in a process of its own first: what crashes there has not killed an export.

    Args:
        bench: Where and on which pictures.
        source: The sealed file without it.
        recognizer: The trained network.

    Returns:
        The stage; a form of a rounded graph is held to the limit on flips, as the graph was.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        BundleError: It does not run here.
    """
    path = bench.folder / f"openvino{archive.SUFFIX}"
    before = archive.read(source)
    with_ir(before, path)
    for batch in (1, LARGEST):
        error = footprint(path, Way(OPENVINO, "fp32", bench.threads), batch=batch).error
        if error is not None:
            error.hint = "leave --openvino out: the file runs in ONNX Runtime, and OpenVINO reads model.onnx"
            raise error
    plain = before.manifest.model.precision == "fp32"
    parity = _openvino_parity(bench, path, recognizer, plain=plain)
    gate = parity.gate() if plain else parity.rounded_gate()
    return Stage(path, parity, replace(gate, id=OPENVINO, name="OpenVINO's form decides as the network"))


def _openvino_parity(bench: Workbench, path: Path, recognizer: Recognizer, *, plain: bool) -> Parity:
    """Return how far OpenVINO's form is from the network or, of a rounded graph, from it in ONNX Runtime."""
    predictor = bench.opened(path, engine=OPENVINO)
    manifest, compared = predictor.manifest, bench.compared()
    if manifest.task not in SCENE_TASKS:
        logits = [recognizer.logits(some.images[some.indices]) for some in compared]
        network = calibrated(np.concatenate(logits), manifest.temperature)
        return compare(network, outputs(predictor.run, compared)[0])
    if plain:
        return parity_with_network(recognizer, predictor.session, manifest, compared)
    return parity_of_files(bench.opened(path), predictor, compared)
