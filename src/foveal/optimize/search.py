"""Search for the smallest and fastest recognizer within a budget: free levers first, then training.

Every candidate is measured on its exported file, beside the original. What was finished in the folder is not
done again, so a search that was killed goes on with the same line.

    original → engine → int8 (→ mixed, 4 bits) → candidates → short lessons → the best one's long lesson
    → rounded in the same ways → a lesson in bearing it, where rounding costs too much

Successive halving: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", 2016. The order of the levers: docs/decisions/0021-optimize.md.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from foveal.bundle.ways import Way
from foveal.core.errors import BundleError, DataError, UsageError
from foveal.core.wording import counted
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate
from foveal.optimize.given_out import Hands, teach_at_once
from foveal.optimize.lessons import (
    FOUR_BITS,
    LONG,
    ROUNDING,
    SHORT,
    Learning,
    Stage,
    any_begun,
    begun,
    lesson,
    not_as_network,
    teacher_logits,
)
from foveal.optimize.rounding import SHOWN, rounded
from foveal.optimize.screening import READING_SHARE, screened
from foveal.optimize.steps.at_size import smaller_sizes, taking
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Workshop
from foveal.tasks.recognizer import Recognizer

_MOST_CANDIDATES = 3
_SHORT_SHARE = 0.05  # of the budget: the first lesson of each candidate
_ROUNDING_SHARE = 0.1  # of the budget: a lesson in bearing to be rounded, where that loses too much
_CERTIFY_SHARE = 0.12  # of the budget: what has to be left for measuring at the end
_LEAST_LESSON = 2.0  # seconds; a shorter one teaches nothing
_LONGER = 10  # times the short lesson: about what the long one gets
# A lesson that is n times as long is foreseen to leave n^-x of the lost accuracy. Measured on CIFAR-10: from
# 0.5 to 0.6 where a network is fresh; from 0.5 (in 4 bits) to 1.2 (in float) where it is pruned.
_SHRINKS = {"fresh": 0.6, "inherits": 0.8}
_TOO_MUCH = 0.5  # of the limit on lost accuracy, lost by rounding alone
_AWARE = {"int8": ROUNDING, "w4a8": FOUR_BITS}  # the lesson for what rounding breaks


def search(
    shop: Workshop,
    learning: Learning | None,
    *,
    network: Recognizer | None = None,
    hands: Hands | None = None,
) -> list[Variant]:
    """Return all variants that were made and measured, the original first.

    Args:
        shop: Where to work, on which pictures, within which budget.
        learning: How networks are taught; None: nothing is trained.
        network: What is exported as it is, for smaller pictures; None: nothing is.
        hands: Where the short lessons are taught at the same time; None: here, one after the other.
    """
    names = _free_levers(shop)
    if network is not None:
        names += _smaller_pictures(shop, network)
    if learning is not None:
        names += _taught(shop, learning, hands)
    return [shop.variant(name) for name in dict.fromkeys(names)]


def _free_levers(shop: Workshop) -> list[str]:
    """Measure the original as it is, run in its best way, and in coarser numbers."""
    names = ["original"]
    _measure(shop, "original", shop.original, ways=shop.reference_ways)
    _measure(shop, "original-engine", shop.original, ways=shop.ways)
    if shop.variant("original-engine").speed.way not in shop.reference_ways:
        names.append("original-engine")
    if shop.members.manifest.model.precision == "fp32":
        names += _coarser(shop, "original", shop.original)
    return names


def _measure(shop: Workshop, name: str, path: Path, *, ways: Sequence[Way]) -> None:
    def work() -> Sequence[str]:
        return shop.measured(name, path, ways=ways, started=time.monotonic())

    shop.progress("variants", 0, 1, name)
    shop.carry_out(name, {}, work)


def _coarser(shop: Workshop, name: str, source: Path) -> list[str]:
    """Round a sealed file as far as the limits ask for it, measure what comes out, and return its names.

    First to int8; where that loses too much, with the most sensitive layers in float; where it is not small
    enough, with large layers in 4 bits.
    """
    names = _rounded(shop, f"{name}-int8", source, "int8")
    if names and _lost(shop, names[0]) > shop.budget.drop >= _lost(shop, name):
        names += _rounded(shop, f"{name}-mixed", source, "mixed")
    limit = shop.budget.size_bytes
    too_large = limit is not None and all(shop.variant(made).size_bytes > limit for made in names)
    if too_large or shop.budget.aim == "size":
        names += _rounded(shop, f"{name}-w4a8", source, "w4a8")
    return names


def _rounded(shop: Workshop, name: str, source: Path, rounding: str) -> list[str]:
    """Seal and measure a rounded graph; return its name, or nothing where it cannot be done."""

    def work() -> Sequence[str]:
        started = time.monotonic()
        path = shop.place(name) / f"{rounding}.foveal"
        try:
            found = shop.read(source)
            shown = shop.roles_at(found.manifest.preprocess.size).shown(SHOWN)
            lowering = rounded(found.model, shown, rounding, progress=shop.progress)
            shop.lowered(source, lowering, path)
            return shop.measured(name, path, ways=shop.ways, started=started)
        except (DataError, BundleError) as error:
            return shop.failed(name, error)

    shop.progress("variants", 0, 1, name)
    shop.carry_out(name, {"source": shop.digest(source)}, work)
    return [name] if shop.has(name) else []


def _smaller_pictures(shop: Workshop, network: Recognizer) -> list[str]:
    """Seal a network for smaller pictures, without a lesson, as long as that keeps the limit on accuracy.

    What finds things in pictures has seen them at many sizes. Its norms stay as they are: they were set by
    pictures as they were changed for training, and others make of it another network.
    """
    sizes = smaller_sizes(network)
    foreseen = shop.reading_seconds(sizes) if sizes else None
    if foreseen is None:
        return []
    if foreseen > READING_SHARE * shop.budget.seconds:
        _no_time(
            shop, sizes[0], f"reading all pictures again would take {counted(round(foreseen), 'second')}"
        )
        return []
    names: list[str] = []
    for size in sizes:
        name = f"pixels-{size}"
        if name not in shop.steps and _left(shop) < shop.budget.seconds * _CERTIFY_SHARE:
            _no_time(shop, size, "what is left of the time is kept for measuring")
            break

        def work(size: int = size, name: str = name) -> Sequence[str]:
            return _sealed_at(shop, network, size, name)

        shop.progress("variants", 0, 1, name)
        shop.carry_out(name, {"size": size}, work)
        if not shop.has(name):
            break
        names += [name, *_coarser(shop, name, shop.path(shop.variant(name)))]
        if _lost(shop, name) > shop.budget.drop:
            break
    return names


def _no_time(shop: Workshop, size: int, why: str) -> None:
    """Note that a network is not sealed for smaller pictures, because that would take too long."""
    shop.failed(f"pixels-{size}", UsageError(why, code="no_time", hint="a longer --time"))


def _sealed_at(shop: Workshop, network: Recognizer, size: int, name: str) -> list[str]:
    """Seal and measure a network for pictures of another size, or note why not; return the file names."""
    started, path = time.monotonic(), shop.place(name) / "fp32.foveal"
    try:
        if shop.sealed(taking(network, size), (name,), path):
            made = shop.measured(name, path, ways=shop.ways, started=started)
            return [f"variants/{name}/{path.name}", *made]
    except (DataError, BundleError) as error:
        return shop.failed(name, error)
    except UsageError as error:
        if error.code != "fixed_size":
            raise
        return shop.failed(name, error)
    return shop.failed(name, not_as_network())


def _lost(shop: Workshop, name: str) -> float:
    """Return the accuracy that a variant has lost against the original, on the pictures that choose."""
    before, after = shop.variant("original").answers, shop.variant(name).answers
    return shop.roles.pictures.drop(before, after).value


def _taught(shop: Workshop, learning: Learning, hands: Hands | None) -> list[str]:
    """Give every candidate a short lesson, and the most promising one all the time that is left.

    Nothing is prepared for lessons that there is no time for, and every lesson that was begun is finished.
    """
    if _left(shop) < _LEAST_LESSON and not any_begun(shop):
        return []
    learning = replace(learning, teacher_logits=teacher_logits(shop, learning))
    names = _rounding_aware(shop, learning, _itself(learning), after="original")
    seconds = shop.budget.seconds * _SHORT_SHARE
    if "candidates" not in shop.steps and (seconds < _LEAST_LESSON or _left(shop) < seconds):
        return names
    tried: list[tuple[Candidate, list[str]]] = []
    candidates = screened(shop, learning.teacher, most=_MOST_CANDIDATES)
    if hands is not None and _left(shop) >= seconds >= _LEAST_LESSON:
        teach_at_once(shop, learning, candidates, seconds=seconds, hands=hands)
    for candidate in candidates:
        if not begun(shop, candidate, SHORT) and _left(shop) < seconds:
            break
        made = _lesson(shop, learning, candidate, SHORT, seconds=seconds)
        names += made
        if made:
            tried.append((candidate, made))
    best = _promising(tried, shop)
    if best is None:
        return names
    keep = shop.budget.seconds * _ROUNDING_SHARE if _rounds_badly(shop, f"{best.name}-short") else 0.0
    made = _lesson(shop, learning, best, LONG, seconds=_left(shop) - keep)
    names += made
    if made:
        names += _rounding_aware(shop, learning, best, after=made[0])
    return names


def _left(shop: Workshop) -> float:
    """Return the seconds that are left for lessons."""
    return shop.left() - shop.budget.seconds * _CERTIFY_SHARE


def _lesson(
    shop: Workshop, learning: Learning, candidate: Candidate, stage: Stage, *, seconds: float
) -> list[str]:
    """Teach a candidate and measure it in float and in int8; nothing where too little time is left."""
    if not begun(shop, candidate, stage) and seconds < _LEAST_LESSON:
        return []
    name = lesson(shop, learning, candidate, stage, seconds=seconds)
    return [] if name is None else [name, *_coarser(shop, name, shop.path(shop.variant(name)))]


def _itself(learning: Learning) -> Candidate:
    """Return the original as a candidate for being taught to bear rounding."""
    kind = learning.teacher.architecture
    return Candidate("original", (), lambda: learning.teacher, 0, 0, rate_share=1.0, kind=kind, inherits=True)


def _rounding_aware(shop: Workshop, learning: Learning, candidate: Candidate, *, after: str) -> list[str]:
    """Teach a network that loses too much in coarser numbers to bear being rounded.

    Args:
        shop: Where.
        learning: How.
        candidate: What is taught.
        after: Name of the variant that is its float network.
    """
    if not _rounds_badly(shop, after) or _lost(shop, after) > shop.budget.drop:
        return []
    seconds = min(_left(shop), shop.budget.seconds * _ROUNDING_SHARE)
    stage = _AWARE[_coarsest(shop, after)]
    return _lesson(shop, learning, candidate, stage, seconds=seconds)


def _coarsest(shop: Workshop, name: str) -> str:
    return "w4a8" if shop.has(f"{name}-w4a8") else "int8"


def _rounds_badly(shop: Workshop, name: str) -> bool:
    """Return whether a network loses a good part of the limit on accuracy in the coarsest numbers tried."""
    rounded = f"{name}-{_coarsest(shop, name)}"
    return shop.has(rounded) and _lost(shop, rounded) - _lost(shop, name) > _TOO_MUCH * shop.budget.drop


def _promising(tried: Sequence[tuple[Candidate, list[str]]], shop: Workshop) -> Candidate | None:
    """Return the candidate that a long lesson is worth most for.

    Of those that keep the limits on time, size and memory, as they are or rounded, and are foreseen to keep
    the one on accuracy, it is the best one for the aim. Where none is, it is the one foreseen to lose least;
    where none keeps the first limits either, nothing that is learned would help.
    """
    fitting = [
        (candidate, variant, _lost(shop, variant.name) * _remains(candidate))
        for candidate, names in tried
        for variant in map(shop.variant, names)
        if _fits(variant, shop.budget)
    ]
    if not fitting:
        return None
    hopeful = [one for one in fitting if one[2] <= shop.budget.drop]
    if not hopeful or shop.budget.aim == "accuracy":
        return min(fitting, key=lambda one: one[2])[0]
    if shop.budget.aim == "size":
        return min(hopeful, key=lambda one: one[1].size_bytes)[0]
    return min(hopeful, key=lambda one: one[1].speed.ratio)[0]


def _remains(candidate: Candidate) -> float:
    """Return which share of its lost accuracy a candidate is foreseen to keep after the long lesson."""
    shrinks = _SHRINKS["inherits" if candidate.inherits else "fresh"]
    return float(_LONGER**-shrinks)


def _fits(variant: Variant, budget: Budget) -> bool:
    """Return whether a variant keeps the limits that no lesson changes."""
    pairs = (
        (variant.speed.p50, budget.latency_seconds),
        (variant.speed.p99, budget.p99_seconds),
        (variant.size_bytes, budget.size_bytes),
        (variant.peak_bytes, budget.memory_bytes),
    )
    return all(limit is None or (value is not None and value <= limit) for value, limit in pairs)
