"""From what was taught to a sealed bundle, and what was taught from a bundle; no torch on either way."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import onnx

import foveal
from foveal.bundle import archive, golden
from foveal.bundle.embedder import TAUGHT_AS, Embedder
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.golden import Golden
from foveal.bundle.manifest import Data, Draft, Images, Licenses, Manifest, Model
from foveal.core.errors import UsageError
from foveal.export.embedding import embedder_in
from foveal.fewshot.deciding import Learned
from foveal.fewshot.graph import graph
from foveal.fewshot.taught import Taught, from_members


@dataclass(frozen=True)
class Opened:
    """What a taught bundle holds to be taught more.

    Attributes:
        taught: Features of the pictures.
        embedder: From pictures to features.
        head: Its name.
        seed: From which changed views follow.
        golden: The golden vectors.
    """

    taught: Taught
    embedder: Embedder
    head: str
    seed: int
    golden: Golden


def seal(
    path: Path,
    taught: Taught,
    learned: Learned,
    embedder: Embedder,
    *,
    data: Data,
    known: Golden | None = None,
) -> Manifest:
    """Write the bundle, whole or not at all; one that is there is replaced.

    Args:
        path: File to write; its name ends in `.foveal`.
        taught: The pictures.
        learned: What follows from them.
        embedder: What made their features.
        data: Which pictures they were; its seed is what their views were drawn with.
        known: Golden vectors whose inputs are used again; None: they are chosen anew.

    Raises:
        BundleError, WriteError: It cannot be sealed.
    """
    model = graph(embedder, learned.fitted, temperature=learned.temperature)
    session = onnxruntime(model, threads=1)
    if known is None:
        vectors = golden.measure(session, embedder.preprocess)
    else:
        said = session.run(known.inputs)
        vectors = Golden(known.inputs, said.probabilities, said.unknown)
    draft = Draft(
        foveal=foveal.__version__,
        classes=taught.classes,
        preprocess=embedder.preprocess,
        decision=learned.decision,
        temperature=learned.temperature,
        model=Model(name=TAUGHT_AS + learned.head, parameters=_parameters(model), source=embedder.source),
        weights_sha256=hashlib.sha256(model).hexdigest(),
        data=data,
        licenses=Licenses(code="Apache-2.0", weights=embedder.license, data=None),
    )
    return archive.seal_taught(path, draft, model=model, golden=vectors, taught=taught.members())


def made_from(taught: Taught, *, seed: int) -> Data:
    """Return what is known of pictures that are there as features alone.

    Args:
        taught: The pictures.
        seed: That their views were drawn with.
    """
    images = Images(fit=len(taught), calib=0, test=0)
    return Data(fingerprint=taught.fingerprint, split_seed=seed, images=images)


def opened(path: Path) -> Opened:
    """Return what a bundle was taught.

    Raises:
        NotFoundError: There is no such file.
        UsageError: `not_taught`: it was trained.
        BundleError: It is not sound.
    """
    members = archive.read(path)
    manifest = members.manifest
    if not members.taught or not manifest.model.name.startswith(TAUGHT_AS):
        raise UsageError(
            f"{path.name} was not made by foveal fewshot teach: it cannot be taught more",
            code="not_taught",
            hint=f"foveal fewshot teach {path.name} DIR makes one that can, with pictures of all classes",
            path=path,
        )
    with archive.about(path):
        taught = from_members(members.taught, manifest.classes)
    embedder = embedder_in(members, source=manifest.model.source)
    head = manifest.model.name.removeprefix(TAUGHT_AS)
    return Opened(taught, embedder, head, manifest.data.split_seed, members.golden)


def _parameters(model: bytes) -> int:
    """Return how many numbers the weights of a graph have."""
    tensors = onnx.load_from_string(model).graph.initializer
    return sum(math.prod(tensor.dims) for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT)
