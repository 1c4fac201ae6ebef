"""An architecture by name, or one that a user brings."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.task import Task as Task
from foveal.models import _registry

if TYPE_CHECKING:
    from torch import Tensor, nn

_OWN = ":"  # in the name of a user's builder, in that of no file
_TIMM = "timm:"  # and what the name of timm's networks begins with, which are nobody's own


@runtime_checkable
class LearnsFromImages(Protocol):
    """A network that wants to see training images before the first step.

    It may take a keyword `reach`, too: by how much an adversary will change each value of those images while
    the network learns, 0 without one. What it sets from the images must then not amplify such changes.
    """

    def learn_from(self, images: "Tensor") -> None:
        """Set whatever follows from normalized training images (N, C, H, W)."""


@runtime_checkable
class HasAuxiliary(Protocol):
    """A network whose inner maps are judged, too, while it learns the labels.

    What judges them belongs to the objective `supervised`: it learns along, is in every checkpoint, and never
    ships. Other objectives have no loss for it; a recipe that names one is refused. A student that follows a
    teacher (`foveal optimize`) learns without.

    Attributes:
        auxiliary_share: By which each auxiliary loss is multiplied before it is added.
    """

    auxiliary_share: float

    def auxiliary(self) -> "dict[str, nn.Module]":
        """Return new classifiers, from maps to logits (N, K), by the inner module whose output each reads."""


@runtime_checkable
class FollowsSize(Protocol):
    """A network that holds what follows from the size of its pictures, such as boxes to start from."""

    def made_for(self, size: Sequence[int]) -> None:
        """Hold what follows from height and width in pixels; weights stay."""


class Builder(Protocol):
    """What makes a network."""

    def __call__(self, *, channels: int, classes: int, size: int) -> "nn.Module":
        """Return a new module from normalized images (N, C, H, W) to logits (N, K).

        Args:
            channels: C.
            classes: K.
            size: H and W in pixels.
        """


@dataclass(frozen=True)
class Card:
    """What `foveal models` says about an architecture.

    Attributes:
        family: Name of the family.
        kind: A network that is trained step by step, or a classical baseline.
        source: The paper or the idea.
        summary: One sentence: when to choose it.
        idea: Of a network one or two sentences: what is special about it; of a baseline its page says it.
        smallest_size: Side of the smallest input it can take, in pixels.
        fitted_by: Of a baseline: name of the file in `train/classical` that fits it.
        grows: Whether the number of its parameters follows from the training images.
        task: What it is for: to give pictures a class, `classify`, or clips: `video`; or to say where
            something is.
    """

    family: str
    kind: Literal["network", "baseline"]
    source: str
    summary: str
    idea: str = ""
    smallest_size: int = 32
    fitted_by: str | None = None
    grows: bool = False
    task: Task = "classify"


@dataclass(frozen=True)
class Settings:
    """How an architecture learns best; whatever a recipe leaves open is taken from here.

    Attributes:
        optimizer: `muon` orthogonalizes the filters and keeps them at one norm, which needs a normalization
            after each; `adam` asks nothing of the network.
        learning_rate: First rate of the schedule.
        weight_decay: Per unit of learning rate; with `muon` of the last layer, with `adam` of all matrices.
        batch_size: Images per step, where there are many and they are small.
        head_rate: With `muon`: rate of the last layer as a multiple of that of the filters.
        warm_up_share: Share of the run in which the rate rises.
    """

    optimizer: Literal["muon", "adam"] = "muon"
    learning_rate: float = 0.24
    weight_decay: float = 1e-3
    batch_size: int = 1000
    head_rate: float = 2.5
    warm_up_share: float = 0.0


# Of a network that nothing is known about.
_CAUTIOUS = Settings(
    optimizer="adam", learning_rate=2e-3, weight_decay=0.05, batch_size=256, warm_up_share=0.05
)

_Variants = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Architecture:
    """How to build a network, and how it wants to be trained.

    Whatever is not said about a builder of your own is chosen so that any network learns.

    Attributes:
        build: Makes the network from `channels`, `classes`, `size` and, of a named one, its own arguments.
        name: Of a file in `models/` or of one of its members, `timm:NAME`, or `module:qualified_name` of your
            builder.
        settings: What a recipe leaves open.
        smallest_size: Side of the smallest input it can take, in pixels.
        variants: Arguments of its sizes, the fastest first, for an input size; training with a time budget
            takes the last that the budget allows.
        expansion: Names of the layers just before the head that only widen its input, the convolution first;
            a head for other classes, fitted to few pictures, does better without them.
        task: `classify`, or `video` for a network of clips (N, T, C, H, W): that is `answer` of what `look`
            makes of each frame, as in `models/cnn.py`, and has `features` numbers for each.
        arguments: What `build` is given besides, of each of the variants; part of every plan.
        learns: Of what says where something is: the file of `train/scenes/objectives` that teaches it.
        looks: Of a detector that looks at some places alone: the argument of `build` for how many; where that
            has no number by itself, for how many at least.
        reads: Where training starts from weights of the whole network: what returns the `Weights` in a
            folder, with the arguments that it was built with; None: from those of a backbone.
    """

    build: Callable[..., "nn.Module"]
    name: str = ""
    settings: Settings = _CAUTIOUS
    smallest_size: int = 1
    variants: Callable[[int], _Variants] = field(default=lambda size: ({},), repr=False)
    expansion: tuple[str, ...] = ()
    task: Task = "classify"
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    learns: str = ""
    looks: str = ""
    reads: Callable[[Path], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", _qualified_name(self.build))

    def __call__(self, *, channels: int, classes: int, size: int) -> "nn.Module":
        """Return a new network, as a builder does."""
        return self.build(channels=channels, classes=classes, size=size, **self.arguments)

    def looking_at(self, objects: int) -> dict[str, int]:
        """Return what `build` is given so that it can find so many objects; nothing where it can anyway."""
        if not self.looks:
            return {}
        usual = inspect.signature(self.build).parameters[self.looks].default
        return {} if usual is not None and objects <= usual else {self.looks: objects}

    @property
    def is_own(self) -> bool:
        """Whether a user brought it: then nothing but the user's program can build it."""
        return is_own(self.name)

    @property
    def is_tested(self) -> bool:
        """Whether the tests of this project know it; another one is tried before hours are spent on it."""
        return _OWN not in self.name

    @property
    def said(self) -> str:
        """All that was said of a builder, as text: what it was given beforehand, and how it learns.

        Equal text does not make an equal network: a builder may have changed. Other text makes another one.
        """
        given, build = [], self.build
        while isinstance(build, functools.partial):
            given.append([list(map(_plain, build.args)), {k: _plain(v) for k, v in build.keywords.items()}])
            build = build.func
        return json.dumps([self.name, given, asdict(self.settings)], sort_keys=True)


def is_own(name: str) -> bool:
    """Return whether a name means a user's builder; it is only compared, no code is looked up by it."""
    return _OWN in name and not name.startswith(_TIMM)


def architecture(model: "str | Builder | Architecture") -> Architecture:
    """Return the architecture that a name or a builder means.

    Args:
        model: Name of a file in `models/` or of one of its members, with `-` or `_`, `timm:NAME`, or a
            builder of yours.

    Raises:
        UnknownNameError: No file holds it, or timm has no such model.
        UsageError: `own_model`: it is the name of somebody's own builder, which has to be given itself.
    """
    if isinstance(model, Architecture):
        return model
    if not isinstance(model, str):
        return Architecture(model)
    if is_own(model):
        raise UsageError(
            f"{model} is a builder of a program of yours, and only that program can build it",
            code="own_model",
            hint="give the builder itself, from Python: foveal.resume(run, data, model=builder)",
        )
    if model.startswith(_TIMM):
        return _of_timm(model.removeprefix(_TIMM))
    file, arguments = _registry.found(model)
    build = getattr(file, file.__name__.rpartition(".")[2])
    sizes: Any = getattr(file, "SIZES", ({},))
    return Architecture(
        functools.partial(build, **arguments) if arguments else build,
        name=catalog.written(model),
        settings=getattr(file, "SETTINGS", Settings()),
        smallest_size=file.CARD.smallest_size,
        variants=sizes if callable(sizes) else lambda size: sizes,
        expansion=getattr(file, "EXPANSION", ()),
        task=file.CARD.task,
        learns=getattr(file, "LEARNS", ""),
        looks=getattr(file, "LOOKS", ""),
        reads=getattr(file, "READS", None),
    )


def _of_timm(name: str) -> Architecture:
    from foveal.models import _timm, _timm_card

    name = catalog.written(name)
    _timm.check_name(name)
    return Architecture(
        functools.partial(_timm.build, name=name),
        name=_TIMM + name,
        settings=_timm.SETTINGS,
        smallest_size=_timm_card.CARD.smallest_size,
    )


def card(name: str) -> Card:
    """Return what the file that holds an architecture says of its family; of all of timm's the same.

    Raises:
        UnknownNameError: No file in `models/` holds it.
    """
    if name.startswith(_TIMM):
        from foveal.models import _timm_card

        return _timm_card.CARD
    found: Card = _registry.found(name)[0].CARD
    return found


def _plain(value: object) -> object:
    """Return a value that JSON knows; of any other its type, whose text tells nothing between processes."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _qualified_name(build: Any) -> str:
    """Return `module:qualified_name` of a function, class or object; of a partial, that of its function."""
    while isinstance(build, functools.partial):
        build = build.func
    if not callable(build):
        raise UsageError(
            f"a model is a name or a builder; got {type(build).__name__}",
            hint="a builder is called with channels, classes and size, and returns a module",
        )
    named = build if hasattr(build, "__qualname__") else type(build)
    return f"{named.__module__}{_OWN}{named.__qualname__}"
