"""docs: the numbers of the levels, and every limit that a profile can set, are the ones of the code."""

import re

import pytest

from foveal.certify import measurements
from foveal.certify.level import LEVELS
from foveal.certify.profile import Profile, shipped
from foveal.core import catalog

NAMES = ("smoke", "quick", "full")
ROWS = {
    "pictures": "images",
    "under each corruption": "corrupted",
    "attacked within the largest Linf distance, or one with a limit; within others": (
        "attacked attacked_otherwise"
    ),
    "steps; targets; queries of an attack": "steps targets queries",
    "certified by bounds, noise or masks": "certified",
    "noisy copies of each": "noisy",
    "with a patch or stickers": "patched",
    "steps of a patch; places for stickers": "patch_steps patch_queries",
    "unknown objects, of each kind": "unknown",
    "under each harmless change": "invariant",
    "resamples of a bootstrap": "draws",
}
COUNTED = {
    "C1": "images", "C5": "corrupted", "C6": "attacked", "C7": "certified", "C8": "patched", "C9": "unknown",
    "C12": "invariant",
}  # fmt: skip


def rows(text, heading):
    """Return the cells of every row of the table that begins with `heading`."""
    lines = text[text.index(heading) :].splitlines()
    table = lines[2 : next((k for k, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def row_of(key):
    """Return the name under which the table has a limit: R stands for a distance or a share."""
    return re.sub(r"_[\d_]+$", "_R", key)


def written(number):
    return "–" if number == 0 else "all" if number >= 10**9 else f"{number:,}"


@pytest.fixture(scope="module")
def command(project):
    return (project / "docs/commands/certify.md").read_text(encoding="utf-8")


def test_the_table_of_levels_has_the_numbers_of_the_levels(command):
    table = {name: cells for name, *cells in rows(command, "| | `smoke` | `quick` | `full` |")}

    assert table.pop("severities of each") == [", ".join(map(str, LEVELS[name].severities)) for name in NAMES]
    assert set(table) == set(ROWS)
    for row, fields in ROWS.items():
        said = [[written(getattr(LEVELS[name], field)) for field in fields.split()] for name in NAMES]
        assert table[row] == ["–" if set(one) == {"–"} else "; ".join(one) for one in said], row


def test_the_table_of_measurements_has_them_too(project):
    text = (project / "docs/certificate.md").read_text(encoding="utf-8")
    table = {}
    for number, _, _, _, n, _ in rows(text, "| | what | formula | kind | n | source |"):
        table.setdefault(number, n)

    for number, field in COUNTED.items():
        said = ", ".join(written(getattr(LEVELS[name], field)) for name in NAMES)
        assert re.match(rf"{re.escape(said)}( |$)", table[number]), number


def test_every_limit_is_in_the_table_with_what_industrial_demands(command):
    demanded, sides = {}, {}
    for names, _, side, industrial in rows(command, "| limit | on | side |"):
        keys = re.findall(r"`(\w+)`", names)
        for place, key in enumerate(keys):
            demanded[key] = industrial
            sides[key] = side.split("; ")[min(place, side.count(";"))].replace(" ", "_")
    claims = [
        claim
        for name in catalog.names(measurements)
        for claim in catalog.find(measurements, name).claims(Profile(name="plain"))
    ]
    known = {row_of(claim.key): claim for claim in claims}

    assert set(demanded) == set(known)
    assert sides == {key: claim.side for key, claim in known.items()}
    limits = {key: float(text) for key, text in demanded.items() if not text.startswith("–")}
    assert limits == {row_of(key): limit for key, limit in shipped("industrial").limits.items()}
