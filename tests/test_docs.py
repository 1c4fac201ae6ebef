"""The documentation points at things that exist and states the codes that the program uses."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from foveal.core import errors

LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def pages(project: Path) -> list[Path]:
    return [*project.glob("*.md"), *(project / "docs").rglob("*.md")]


def subclasses(cls: type[errors.FovealError]) -> Iterator[type[errors.FovealError]]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_link_leads_somewhere(pages: list[Path]) -> None:
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_file_that_is_named_exists(pages: list[Path], project: Path) -> None:
    name = re.compile(r"`((?:src|tests|benchmarks|docs|examples)/[\w/.-]+\.\w+)")
    named = {
        (page.name, found)
        for page in pages
        if page.name != "CONTRIBUTING.md"  # there the examples are files that are to be written
        for found in name.findall(page.read_text(encoding="utf-8"))
    }

    assert {(page, found) for page, found in named if not (project / found).exists()} == set()


def test_exit_codes_are_those_of_the_errors(project: Path) -> None:
    page = (project / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}

    raised = {cls.exit_code for cls in subclasses(errors.FovealError) if cls.__module__.startswith("foveal.")}
    assert documented == raised | {0, 1, 10, 130, 141, 143}


def test_every_decision_is_in_the_index_and_named_by_its_number(project: Path) -> None:
    folder = project / "docs" / "decisions"
    records = sorted(p.name for p in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index) == records
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    for name in records:
        assert (folder / name).read_text(encoding="utf-8").startswith(f"# {name[:4]}: ")


def test_every_record_that_the_code_refers_to_exists(project: Path) -> None:
    files = [
        *(project / "src").rglob("*.py"),
        project / "pyproject.toml",
        *(project / "benchmarks").glob("*.py"),
    ]
    named = {n for f in files for n in re.findall(r"docs/[\w/.-]+\.md", f.read_text(encoding="utf-8"))}

    assert {name for name in named if not (project / name).is_file()} == set()


def test_every_command_is_in_the_index(project: Path) -> None:
    folder = project / "docs" / "commands"
    index = (folder / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == {p.stem for p in folder.glob("*.md")} - {"README"}
