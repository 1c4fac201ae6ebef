"""docs/claims.md is made from benchmarks/claims.toml, and every entry says what its status asks for."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPRODUCED = 'claim = "x"\nsource = "y"\narea = "z"\nstatus = "reproduced"\nfound = "0.9"\ncommand = "c"'


@pytest.fixture(scope="module")
def claims(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("claims", project / "benchmarks" / "claims.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_the_one_that_the_entries_make(claims: ModuleType) -> None:
    made = claims.page(claims.read(), claims.tables())

    assert claims.PAGE.read_text(encoding="utf-8") == made, "run: python benchmarks/claims.py"


def test_what_stands_below_an_area_is_of_one_that_has_claims(claims: ModuleType) -> None:
    areas = {entry["area"] for entry in claims.read()}

    assert claims.tables().keys() <= areas
    told = claims.page(claims.read(), dict.fromkeys(areas, "| a | b |"))
    assert told.count("| a | b |") == len(areas)


def test_what_a_claim_rests_on_exists(claims: ModuleType, project: Path) -> None:
    entries = claims.read()

    tests = [entry["test"] for entry in entries if "test" in entry]
    scripts = [
        word
        for entry in entries
        for word in entry.get("command", "").split()
        if word.startswith(("benchmarks/", "examples/"))
    ]
    assert tests
    assert scripts
    assert [name for name in (*tests, *scripts) if not (project / name).is_file()] == []


def test_a_claim_that_was_seen_here_has_a_number(claims: ModuleType) -> None:
    seen = [entry for entry in claims.read() if entry["status"] in ("reproduced", "analogue")]

    assert seen
    assert [entry["claim"] for entry in seen if not any(c.isdigit() for c in entry["found"])] == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('claim = "x"\nsource = "y"\narea = "z"\nstatus = "sure"', "the status is one of"),
        (
            'claim = "x"\nsource = "y"\narea = "z"\nstatus = "reproduced"\nfound = "0.9"',
            "look at command, interval",
        ),
        (f"{REPRODUCED}\ninterval = [0.91, 0.92]\nclaimed = 0.926", "is not the claim"),
        (f"{REPRODUCED}\ninterval = [-0.01, 0.02]\nat_least = 0.0", "is not the claim"),
        (f"{REPRODUCED}\ninterval = [0.91, 0.92]", "is not the claim"),
        ('claim = "x"\nsource = "y"\narea = "z"\nstatus = "open"\nneeds = "a"\nfound = "b"', "look at found"),
    ],
)
def test_an_entry_that_says_too_little_or_too_much_is_refused(
    claims: ModuleType, tmp_path: Path, entry: str, said: str
) -> None:
    (tmp_path / "claims.toml").write_text(f"[[claim]]\n{entry}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=said):
        claims.read(tmp_path / "claims.toml")
