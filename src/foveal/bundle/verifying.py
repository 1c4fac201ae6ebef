"""What an engine and a manifest have to agree on before a bundle answers."""

from foveal.bundle import golden, golden_defects, golden_objects, golden_regions
from foveal.bundle.archive import Vectors
from foveal.bundle.golden import Golden
from foveal.bundle.golden_defects import GoldenDefects
from foveal.bundle.golden_objects import GoldenObjects
from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Outputs, Session, UInt8
from foveal.core.errors import BundleError


def verify(session: Session, vectors: Vectors, manifest: Manifest) -> None:
    """Refuse an engine that computes something else than the one that was there at sealing.

    Raises:
        BundleError: `golden_mismatch`.
    """
    if isinstance(vectors, Golden):
        golden.verify(session, vectors, graph=manifest.model.precision)
    elif isinstance(vectors, GoldenObjects):
        classes = len(manifest.classes)
        golden_objects.verify(session, vectors, classes=classes, graph=manifest.model.precision)
    elif isinstance(vectors, GoldenDefects):
        golden_defects.verify(session, vectors, kinds=manifest.kinds, graph=manifest.model.precision)
    else:
        classes = len(manifest.classes)
        golden_regions.verify(session, vectors, classes=classes, graph=manifest.model.precision)


def check_fit(session: Session, manifest: Manifest) -> None:
    """Refuse a graph that takes or answers something else than the manifest says.

    Raises:
        BundleError: `bad_graph`.
    """
    preprocess = manifest.preprocess
    needed = preprocess.shape
    if session.input_shape != needed:
        raise BundleError(
            f"the model takes {session.input_shape}, the manifest's preprocessing gives {needed}",
            code="bad_graph",
        )
    if (getattr(session, "window_shape", None) is None) != (preprocess.clip is None):
        raise BundleError(
            "a graph has a window where the manifest takes clips, and only there", code="bad_graph"
        )
    if session.classes not in (None, len(manifest.classes)):
        raise BundleError(
            f"the model has {session.classes} classes, the manifest {len(manifest.classes)}", code="bad_graph"
        )


def check_unknown(session: Session, picture: UInt8, manifest: Manifest) -> None:
    """Refuse a manifest whose rule for unknown pictures is about what the graph does not answer."""
    answers = session.run(picture)
    said = isinstance(answers, Outputs) and answers.unknown is not None
    if said != (manifest.decision.unknown is not None):
        raise BundleError(
            "the model says how unknown a picture is and the manifest has no rule for it, or the reverse",
            code="bad_graph",
            hint="export the model again",
        )
