"""The order of imports as pyproject.toml states it, and a serving side without torch."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import foveal

ROOT = Path(foveal.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Return the full names a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_every_contract_of_the_layers_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(project / "pyproject.toml"), no_cache=True)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_only_one_file_may_import_ray() -> None:
    importers = {
        file.relative_to(ROOT).as_posix()
        for file in FILES
        if any(name.partition(".")[0] == "ray" for name in imported(file))
    }

    assert importers <= {"backends/ray.py"}


def test_nothing_that_runs_code_on_loading_is_imported() -> None:
    for file in FILES:
        assert imported(file).isdisjoint({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}), (
            file
        )


def test_no_file_is_longer_than_it_may_be() -> None:
    assert {f: n for f in FILES if (n := f.read_text(encoding="utf-8").count("\n")) > 500} == {}
