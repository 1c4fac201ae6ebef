"""A certificate as one page that a person can read, print and sign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from foveal.certify.measurement import Strip
from foveal.report import certificate_meanings, certificate_words
from foveal.report.certificate_tables import Heat, Table, heat, tables
from foveal.report.chart import Chart
from foveal.report.curves import reliability, risk_coverage
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import Embedded, embed

Document = Mapping[str, Any]
Gate = Mapping[str, Any]
Strips = Mapping[str, Sequence[Strip]]
_SIDE = 128  # pixels on the page
_OPEN = 4  # strips of a section that are seen without a click
_BYTES = 2_000_000  # of all pictures together
_ORDER = ("pass", "fail", "insufficient", "not_asked")
_DRAWN = (
    "reliability",
    "risk_coverage",
    "coverage_at",
    "corruptions",
)  # in a form of their own


@dataclass(frozen=True)
class Framed:
    """A picture as the page takes it.

    Attributes:
        image: The picture.
        caption: The answer, and what was done to the picture.
        right: Whether the answer is right; None where there is no right one.
    """

    image: Embedded = field(repr=False)
    caption: str
    right: bool | None


@dataclass(frozen=True)
class Row:
    """Pictures that belong together, as the page takes them.

    Attributes:
        title: What was done to them.
        pictures: In order.
    """

    title: str
    pictures: tuple[Framed, ...]


@dataclass(frozen=True)
class Part:
    """One measurement on the page.

    Attributes:
        number, title: Its place and name.
        about: What it asks; "" where nothing is known about it.
        gates: Its numbers, those that were measured.
        says: Sentences of the measurement.
        meanings: What the numbers mean.
        charts: Drawings.
        tables: Lists of rows.
        heat: The map of corruptions, or None.
        promises: What could be answered at other risks.
        shown, folded: Pictures that are seen, and those behind a click.
        left_out: Strips for which there was no room.
    """

    number: str
    title: str
    about: str
    gates: tuple[Gate, ...]
    says: tuple[str, ...]
    meanings: tuple[str, ...]
    charts: tuple[Chart, ...] = field(repr=False)
    tables: tuple[Table, ...] = field(repr=False)
    heat: Heat | None = field(repr=False)
    promises: tuple[Gate, ...]
    shown: tuple[Row, ...] = field(repr=False)
    folded: tuple[Row, ...] = field(repr=False)
    left_out: int = 0


def certificate_page(document: Document, strips: Strips) -> str:
    """Return a certificate as one HTML page that loads nothing from outside.

    Args:
        document: `foveal.certify/1`.
        strips: Pictures by the title of their section; those for which there is room are shown.
    """
    framed = _framed(strips)
    sections = [_part(document, section, framed, strips) for section in document["sections"]]
    asked = certificate_words.by_urgency(document)
    page = templates().get_template("certificate.html.j2")
    return page.render(
        name="Reliability certificate",
        bundle=PurePath(document["bundle"]).name,
        document=document,
        says=certificate_words,
        asked=asked,
        counts={kind: sum(gate["verdict"] == kind for gate in asked) for kind in _ORDER},
        parts_of=[part for part in sections if part is not None],
        facts=facts(document),
        palette=PALETTE,
    )


def facts(document: Document) -> list[tuple[str, str]]:
    """Return which file, which demands, which pictures and which machine, as label and value."""
    model, data, profile, made = (document[key] for key in ("model", "data", "profile", "provenance"))
    roles = [
        (
            f"{'Films' if certificate_words.about_films(document) else 'Pictures'}: {role}",
            f"{one['images']:,}, sha256 {one['sha256']}",
        )
        for role, one in data["roles"].items()
    ]
    twin, others = document["twin"], certificate_words.limits_of_others(document)
    return [
        ("Certificate", document["id"]),
        ("Made", document["created"]),
        ("File", document["bundle"]),
        ("Digest of the file", document["digest"]),
        ("Hash of its weights", document["weights_sha256"]),
        ("Model", f"{model['name']}, {model['precision']}, {len(document['classes'])} classes"),
        ("Profile", f"{profile['name']}, digest {profile['digest']}"),
        *([("Not judged", others)] if others else []),
        ("Level", document["level"]),
        ("Significance", f"{document['significance']:.0%} for all limits together, {_correction(document)}"),
        ("Data", f"{data['name']}, part {data['split']}, fingerprint {data['fingerprint']}"),
        *roles,
        ("Torch network", "was used" if twin["used"] else f"not used: {twin['why_not']}"),
        ("Seed", str(document["seed"])),
        ("Engine", f"{made['engine']}, {made['precision']}, {made['threads']} threads"),
        ("Machine", f"{made['cpu']}, Python {made['python']}"),
        ("foveal", made["foveal"]),
    ]


def _correction(document: Document) -> str:
    correction: str = document["correction"]
    return {"holm": "corrected by Holm's method"}.get(correction, correction)


def _part(
    document: Document, section: Mapping[str, Any], framed: Mapping[str, Sequence[Row]], strips: Strips
) -> Part | None:
    """Return a section for the page, or None where nothing was measured."""
    keys = set(section["gates"])
    gates = [gate for gate in document["gates"] if gate["id"] in keys]
    measured = [gate for gate in gates if gate["value"] is not None]
    rows, figures = framed.get(section["title"], ()), section["figures"]
    if not (measured or rows or figures):
        return None
    told = [certificate_meanings.meaning(gate) for gate in measured]
    details = [table for gate in measured for table in tables(gate["details"])]
    return Part(
        number=section["id"],
        title=section["title"],
        about=certificate_meanings.about(section),
        gates=tuple(measured),
        says=tuple(section["says"]),
        meanings=tuple(text for text in told if text),
        charts=_charts(document, figures),
        tables=(*details, *tables(figures, but=_DRAWN)),
        heat=heat(figures["corruptions"]) if "corruptions" in figures else None,
        promises=tuple(figures.get("coverage_at", ())),
        shown=tuple(rows[:_OPEN]),
        folded=tuple(rows[_OPEN:]),
        left_out=len(strips.get(section["title"], ())) - len(rows),
    )


def _charts(document: Document, figures: Mapping[str, Any]) -> tuple[Chart, ...]:
    gates = {gate["id"]: gate for gate in document["gates"]}
    drawn = []
    if figures.get("reliability"):
        error, chance = (gates["calibration_error"][part] for part in ("value", "details"))
        says = f"Calibration error (ECE) {error['value']:.1%}; by chance up to {chance['ece_null_p95']:.1%}."
        drawn.append(reliability(figures["reliability"], calibration=says))
    if "risk_coverage" in figures:
        curve, answered = figures["risk_coverage"], gates["answered"]["value"]
        n = document["data"]["roles"]["test"]["images"]
        coverage = {"threshold": None, "n": n} if answered is None else {"threshold": True, **answered}
        drawn.append(risk_coverage(curve["points"], {**coverage, "risk": curve["promised"]}))
    return tuple(drawn)


def _framed(strips: Strips) -> dict[str, list[Row]]:
    """Return the pictures for which there is room: of each section in turn one strip, the worst first."""
    waiting = {title: _worst_first(list(rows)) for title, rows in strips.items()}
    found: dict[str, list[Row]] = {title: [] for title in waiting}
    room = _BYTES
    for turn in range(max(map(len, waiting.values()), default=0)):
        for title, rows in waiting.items():
            if turn >= len(rows):
                continue
            row = _row(rows[turn])
            size = sum(len(one.image.address) for one in row.pictures)
            if size > room:
                return found
            room -= size
            found[title].append(row)
    return found


def _worst_first(rows: list[Strip]) -> list[Strip]:
    """Return strips in their order; of more than are seen those with most wrong answers first."""
    if len(rows) <= _OPEN:
        return rows
    return sorted(rows, key=lambda row: -sum(one.right is False for one in row.pictures))


def _row(strip: Strip) -> Row:
    return Row(
        strip.title,
        tuple(Framed(embed(one.image, longest=_SIDE), one.caption, one.right) for one in strip.pictures),
    )
