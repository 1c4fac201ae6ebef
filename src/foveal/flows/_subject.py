"""What is explained: the file that ships, and the network it was made from where its run is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import catalog, extras
from foveal.core.errors import UsageError
from foveal.core.steps import file_hash
from foveal.core.task import SCENE_TASKS
from foveal.explain import black_box, methods
from foveal.explain.methods import Method
from foveal.explain.scores import Map

if TYPE_CHECKING:
    from foveal.models import Builder
    from foveal.tasks.recognizer import Recognizer


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


def open_subject(model: str | Path, *, threads: int | None, builder: "Builder | None" = None) -> Subject:
    """Return what MODEL means: the bundle, and the network where MODEL is a run folder.

    Args:
        model: A bundle or a run folder.
        threads: Of the bundle's engine.
        builder: Builds the network where that was one of the user's own.

    Raises:
        NotFoundError: There is no bundle.
        BundleError: It is not to be trusted.
        DataError: The run's network is damaged, or the builder makes another one.
        UsageError: `other_task`: the recognizer takes clips, or says where something is.
    """
    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=threads)
    if predictor.manifest.task in SCENE_TASKS:
        raise UsageError(
            f"foveal explain is for recognizers of pictures; this one says where something is "
            f"({predictor.manifest.task})",
            code="other_task",
            hint="foveal predict --draw shows what it finds",
        )
    if predictor.manifest.task != "classify":
        raise UsageError(
            "foveal explain is for recognizers of pictures; this one answers for clips",
            code="other_task",
            hint="for clips, training --model cnn-frame shows whether the order of the frames plays a part",
        )
    if bundle == Path(model):
        return Subject(bundle, predictor, None, "a bundle holds no network: name its run folder")
    found = _network(bundle.parent, predictor, builder)
    if isinstance(found, str):
        return Subject(bundle, predictor, None, found)
    return Subject(bundle, predictor, found, None)


def _network(run: Path, predictor: Predictor, builder: "Builder | None") -> "Recognizer | str":
    """Return the network that a run's bundle was made from, or why there is none."""
    folder = run / "model"
    weights = folder / "weights.safetensors"
    if not (folder / "structure.json").is_file() or not weights.is_file():
        return f"{run} holds no network, only the bundle"
    if extras.missing("train"):
        return 'torch is not installed: pip install "foveal[train]"'
    from foveal.tasks import recognizer as recognizers

    if file_hash(weights) != predictor.manifest.weights_sha256:
        return f"the network in {run} is not the one in this bundle"
    try:
        return recognizers.load(folder, builder=builder)
    except UsageError as error:  # `own_model` is all that it refuses so: answers can still be explained
        return f"{error.message}: from Python, foveal.flows.explain.explain({str(run)!r}, …, model=builder)"


def choose_method(subject: Subject, name: str, *, layer: str | None, seed: int) -> tuple[Method, Map]:
    """Return the method of that name, and what draws its maps of a recognizer.

    Args:
        subject: The recognizer.
        name: See `explain.methods`.
        layer: Where a method looks that looks at one layer; None: the last that has height and width.
        seed: Of random masks.

    Raises:
        UnknownNameError: No such method.
        UsageError: It needs the network, and there is none; or a layer is named for a method without.
    """
    asked = subject.recognizer if methods.needs_network(name) else subject.predictor
    if asked is None:
        raise UsageError(
            f"{methods.full_name(name)} looks into the network, and there is none here: {subject.why_not}",
            code="needs_run_folder",
            hint=f"on a bundle: --method {' or '.join(catalog.names(black_box))}",
        )
    method = methods.method(name, layer=layer, seed=seed)
    return method, method.of(asked)
