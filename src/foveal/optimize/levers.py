"""What could be done with a file at all: what was tried, what could not be, and what to type instead."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from foveal.bundle.archive import SUFFIX
from foveal.bundle.manifest import Model
from foveal.bundle.ways import Way, called
from foveal.optimize.verdicts import joined

# What the steps that round leave in a file; of several the last one counts.
_HELD = {
    "quantize": "int8",
    "mixed_precision": "int8, and in fp32 where int8 would change answers",
    "quantize_w4a8": "int8, and in 4 bits in large layers",
    "int4": "4 bits",
}


_ANEW = "with --force or another --out"  # a folder goes on with the very line that it was begun with


@dataclass(frozen=True)
class Lever:
    """One thing that makes a recognizer smaller or faster.

    Attributes:
        name: `engine`, `rounding` or `training`.
        tried: Whether it was.
        says: What was tried, or why nothing was.
        instead: Where nothing was: what to type; None: nothing would help.
    """

    name: Literal["engine", "rounding", "training"]
    tried: bool
    says: str
    instead: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Named:
    """What the line names.

    Attributes:
        model: The run folder or the bundle, as it was typed.
        bundle: The file that is to be replaced.
        is_run: Whether it is a run folder, whose network can be trained and rounded again.
        learns: Whether a search can teach such networks.
    """

    model: str
    bundle: str
    is_run: bool
    learns: bool = True


def levers(
    original: Model, named: Named, ways: Sequence[Way], *, train: bool, taught: bool, in_order: bool = False
) -> tuple[Lever, ...]:
    """Return the levers in the order in which they are pulled.

    Args:
        original: The network of the file that is to be replaced.
        named: What the line names.
        ways: To run a file that are allowed here.
        train: Whether the line let networks be trained.
        taught: Whether one was.
        in_order: Whether the network has a recurrent layer, which no rounding touches.
    """
    rounding = _rounding(original, named, in_order=in_order)
    return _engine(original, ways), rounding, _training(named, train=train, taught=taught)


def held(original: Model) -> str | None:
    """Return in what a rounded file holds its weights, for people; None: it is in float.

    >>> held(Model(name="nano", parameters=1, source="scratch", precision="int8", steps=("quantize",)))
    'int8'
    """
    if original.precision == "fp32":
        return None
    known = [_HELD[step] for step in original.steps if step in _HELD]
    return known[-1] if known else original.precision


def _engine(original: Model, ways: Sequence[Way]) -> Lever:
    kinds = dict.fromkeys(f"{way.engine} {called(original.precision, way.precision)}" for way in ways)
    counts = sorted({way.threads for way in ways})
    threads = f"{joined([str(count) for count in counts])} thread{'' if counts == [1] else 's'}"
    if len(ways) == 1:
        return Lever(
            "engine",
            tried=False,
            says=f"{next(iter(kinds))} with {threads} is the only way to run it that is allowed here",
            instead=f"leave --engine and --threads out, {_ANEW}; "
            'or pip install "foveal[openvino]", another engine',
        )
    return Lever("engine", tried=True, says=f"{', '.join(kinds)}, with {threads}")


def _rounding(original: Model, named: Named, *, in_order: bool) -> Lever:
    numbers = held(original)
    if numbers is None:
        says = "int8, and other numbers where the limits ask for them"
        rest = "; the recurrent layer, which reads features in their order, stays in fp32" if in_order else ""
        return Lever("rounding", tried=True, says=says + rest)
    if named.is_run:
        instead = (
            f"foveal export {named.model} --out {named.bundle} --force writes the run's file in fp32 again; "
            "then this line, with --force"
        )
    else:
        only_rounded = original.origin and all(step in _HELD for step in original.steps)
        of = f" whose digest begins with {original.origin[:12]}" if only_rounded and original.origin else ""
        instead = (
            f"foveal optimize FLOAT{SUFFIX} PICTURES, with the fp32 bundle{of} of the same network: that one "
            "can be rounded"
        )
    return Lever(
        "rounding",
        tried=False,
        says=f"its weights are in {numbers} already; rounding them again would start from what is lost",
        instead=instead,
    )


def _training(named: Named, *, train: bool, taught: bool) -> Lever:
    if taught:
        return Lever("training", tried=True, says="smaller networks that learn from the original")
    if not named.is_run:
        return Lever(
            "training",
            tried=False,
            says="a bundle holds no network that could learn, and its pictures need no labels",
            instead="foveal optimize RUN, with the folder of the training that it came from",
        )
    if not named.learns:
        return Lever(
            "training",
            tried=False,
            says="what says where something is gets no lessons in a search",
            instead="foveal train DATA, smaller; then foveal optimize of that run",
        )
    if not train:
        return Lever(
            "training",
            tried=False,
            says="--no-train was asked for",
            instead=f"the same line without --no-train, {_ANEW}",
        )
    return Lever(
        "training",
        tried=False,
        says="no network was worth a lesson, there was no time for one, or none came out whole",
        instead=f"a longer --time, {_ANEW}",
    )
