"""One call from a subject to a certificate: all measurements in order, judged together, as one document."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from foveal.certify import measurements
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section, Strip
from foveal.certify.profile import Profile, check_limits
from foveal.certify.subject import Examined
from foveal.certify.verdicts import LEVEL, Judged, judge, overall
from foveal.core import catalog

SCHEMA = "foveal.certify/1"


@dataclass(frozen=True)
class Certificate:
    """What was found.

    Attributes:
        verdict: Of all limits together.
        judged: Every statement with its verdict, in order.
        sections: Number and title of each measurement, and what it found.
        profile, level: What was demanded, and how much was measured.
    """

    verdict: str
    judged: tuple[Judged, ...]
    sections: tuple[tuple[Measurement[Any], Section], ...] = field(repr=False)
    profile: Profile
    level: str

    @property
    def strips(self) -> dict[str, tuple[Strip, ...]]:
        """Return the pictures for the page by the name of the measurement."""
        return {one.title: section.strips for one, section in self.sections if section.strips}

    @property
    def not_about(self) -> list[str]:
        """Return the limits that nothing was stated of: they are about recognizers for other tasks."""
        return sorted(set(self.profile.limits) - {one.statement.claim.key for one in self.judged})

    def as_json(self) -> dict[str, Any]:
        """Return the entries of `foveal.certify/1` that measuring gives; the same subject gives the same."""
        return {
            "level": self.level,
            "profile": self.profile.model_dump(mode="json") | {"digest": self.profile.digest},
            "verdict": self.verdict,
            "significance": LEVEL,
            "correction": "holm",
            "not_about": self.not_about,
            "gates": [one.as_json() for one in self.judged],
            "sections": [_section(*pair) for pair in self.sections],
        }


def _section(measurement: Measurement[Any], found: Section) -> dict[str, Any]:
    return {
        "id": measurement.section,
        "title": measurement.title,
        "gates": [one.claim.key for one in found.statements],
        "says": list(found.says),
        "figures": dict(found.figures),
    }


def every_measurement() -> list[Measurement[Any]]:
    """Return all files of `measurements/` in the order of their sections."""
    found = [(name, catalog.find(measurements, name)) for name in catalog.names(measurements)]
    return [one for _, one in sorted(found, key=lambda pair: (int(pair[1].section[1:]), pair[0]))]


def claims(profile: Profile) -> dict[str, Claim]:
    """Return what a certificate by this profile can state, by name.

    Two measurements may claim the same of recognizers for different tasks: one limit is on both.

    Raises:
        ValueError: Two claim the same name for one task, or another number.
    """
    known: dict[str, Claim] = {}
    taken: set[tuple[str, str]] = set()
    for one in every_measurement():
        for claim in one.claims(profile):
            before = known.setdefault(claim.key, claim)
            if (before.side, before.unit) != (claim.side, claim.unit):
                raise ValueError(f"two measurements claim {claim.key!r} for different numbers")
            tasks = {(claim.key, task) for task in one.tasks}
            if tasks & taken:
                raise ValueError(f"two measurements claim {claim.key!r}")
            taken |= tasks
    return known


def certify(subject: Examined) -> Certificate:
    """Measure all there is and judge it by the profile.

    Raises:
        RecipeError: The profile sets a limit on something that is not measured.
    """
    check_limits(subject.profile, claims(subject.profile))
    chosen = [one for one in every_measurement() if _told(one, subject)]
    sections = []
    with _bounded(subject):
        for place, one in enumerate(chosen):
            subject.progress("certifying", place, len(chosen), one.title)
            sections.append((one, one.found(subject)))
    subject.progress("certifying", len(chosen), len(chosen), "done")
    statements = [statement for _, found in sections for statement in found.statements]
    judged = judge(statements, subject.profile.limits)
    return Certificate(overall(judged), tuple(judged), tuple(sections), subject.profile, subject.level.name)


def _told(one: Measurement[Any], subject: Examined) -> bool:
    """Return whether a certificate speaks of it: of pictures not about frames, unless a limit asks for it."""
    if not one.is_about(subject.task):
        return False
    asked = any(claim.key in subject.profile.limits for claim in one.claims(subject.profile))
    return subject.takes_films or not one.not_for_pictures or asked


def _bounded(subject: Examined) -> AbstractContextManager[None]:
    """Return what keeps torch to one thread; where there is no network, torch is not used."""
    if subject.twin is None:
        return nullcontext()
    from foveal.certify.twin import one_thread  # here: the rest needs no torch

    return one_thread()


def identity(document: Mapping[str, Any], *, without: Sequence[str] = ("created", "id")) -> str:
    """Return the name of a certificate: a hash over all that it says, but when it was made."""
    told = {key: value for key, value in document.items() if key not in without}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
