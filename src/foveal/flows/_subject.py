"""What is explained: the file that ships, and the network it was made from where its run is there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import catalog, extras
from foveal.core.errors import UnknownNameError, UsageError
from foveal.explain import black_box, white_box
from foveal.explain.scores import Float32, Map, UInt8

if TYPE_CHECKING:
    from foveal.tasks.recognizer import Recognizer

AUTO = "auto"
_DEFAULT = "occlusion"  # needs nothing but answers, and explains the file that ships
_UNITS = {"grad_cam": "logit", "attention": "share"}  # all others: nats of log-odds


@dataclass(frozen=True)
class Subject:
    """A recognizer to be explained.

    Attributes:
        bundle: The file.
        predictor: The bundle.
        recognizer: The network it was made from; None where only the bundle is there, or torch is not.
        why_not: Why there is no network.
    """

    bundle: Path
    predictor: Predictor
    recognizer: "Recognizer | None"
    why_not: str | None


@dataclass(frozen=True)
class Method:
    """How maps are made.

    Attributes:
        name: A file of `explain/black_box` or `explain/white_box`.
        unit: Of the values of its maps.
        draw: Makes the map of a picture and a class.
    """

    name: str
    unit: str
    draw: Map


def open_subject(model: str | Path, *, threads: int | None) -> Subject:
    """Return what MODEL means: the bundle, and the network where MODEL is a run folder.

    Raises:
        NotFoundError: There is no bundle.
        BundleError: It is not to be trusted.
        DataError: The run's network is damaged.
    """
    bundle = locate(model)
    predictor = Predictor.open(bundle, threads=threads)
    network = bundle.parent / "model"
    if bundle == Path(model):
        return Subject(bundle, predictor, None, "a bundle holds no network: name its run folder")
    if not (network / "structure.json").is_file():
        return Subject(bundle, predictor, None, f"{bundle.parent} holds no network, only the bundle")
    if extras.missing("train"):
        return Subject(bundle, predictor, None, 'torch is not installed: pip install "foveal[train]"')
    from foveal.tasks import recognizer as recognizers

    return Subject(bundle, predictor, recognizers.load(network), None)


def choose_method(subject: Subject, name: str, *, layer: str | None, seed: int) -> Method:
    """Return the method of that name for a recognizer.

    Args:
        subject: The recognizer.
        name: `auto` is occlusion: it works for all, and on the very file that ships.
        layer: Where `grad_cam` looks; None: the last layer that has height and width.
        seed: Of random masks.

    Raises:
        UnknownNameError: No such method.
        UsageError: It needs the network, and there is none; or a layer is named for a method without.
    """
    wanted = _DEFAULT if name == AUTO else name
    known = [*catalog.names(black_box), *catalog.names(white_box)]
    if wanted not in known:
        raise UnknownNameError("explain", name, [AUTO, *known])
    if layer is not None and wanted != "grad_cam":
        raise UsageError(f"--layer is for grad_cam; {wanted} has no layer to choose")
    unit = _UNITS.get(wanted, "nats")
    if wanted in catalog.names(black_box):
        return Method(wanted, unit, asking(subject.predictor, wanted, seed=seed))
    if subject.recognizer is None:
        raise UsageError(
            f"{wanted} looks into the network, and there is none here: {subject.why_not}",
            code="needs_run_folder",
            hint=f"on a bundle: --method {' or '.join(catalog.names(black_box))}",
        )
    return Method(wanted, unit, looking_into(subject.recognizer, wanted, layer=layer))


def asking(runs: object, name: str, *, seed: int) -> Map:
    """Return a black-box method for anything that answers (`bundle.answering.Runs`)."""
    function: Callable[..., Float32] = catalog.find(black_box, name)

    def draw(image: UInt8, index: int) -> Float32:
        return function(runs, image, index, seed=seed)

    return draw


def looking_into(recognizer: "Recognizer", name: str, *, layer: str | None = None) -> Map:
    """Return a white-box method for a network."""
    function: Callable[..., Float32] = catalog.find(white_box, name)

    def draw(image: UInt8, index: int) -> Float32:
        return function(recognizer, image, index, layer=layer)

    return draw
