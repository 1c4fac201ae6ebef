"""The wheel: complete, typed, light, and with every extra that a message names."""

import ast
import re
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

import foveal
from foveal.core import extras

HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "onnx",
    "onnxscript",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "jinja2",
    "ray",
}
COPYLEFT = {"ultralytics", "albumentationsx", "boxmot", "lightly-train"}
FORBIDDEN = {"lightning", "pytorch-lightning", "mmcv", "mmdet", "albumentations", "torchaudio", "learn2learn"}
SOURCES = sorted(Path(foveal.__file__).parent.rglob("*.py"))


def name_of(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0].lower()


@pytest.fixture(scope="module")
def settings(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    built = WheelBuilder(str(project)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    return zipfile.ZipFile(next(iter(built)))


def test_wheel_holds_every_file_of_the_package_and_no_other(wheel: zipfile.ZipFile, project: Path) -> None:
    files = {p for p in (project / "src" / "foveal").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    expected = {p.relative_to(project / "src").as_posix() for p in files}

    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == expected
    assert {"foveal/py.typed", "foveal/report/templates/page.html.j2"} <= packed


def test_wheel_states_license_python_and_command(wheel: zipfile.ZipFile) -> None:
    info = f"foveal-{foveal.__version__}.dist-info"
    metadata = HeaderParser().parsestr(wheel.read(f"{info}/METADATA").decode())

    assert metadata["Version"] == foveal.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert b"foveal = foveal.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel.namelist())


def test_core_needs_nothing_heavy(settings: dict[str, Any]) -> None:
    assert {name_of(r) for r in settings["dependencies"]}.isdisjoint(HEAVY)
    assert len(settings["dependencies"]) <= 14  # eight to answer, six to answer over HTTP


def test_nothing_is_required_that_is_copyleft_or_abandoned(settings: dict[str, Any]) -> None:
    lists = [settings["dependencies"], *settings["optional-dependencies"].values()]

    assert {name_of(r) for requirements in lists for r in requirements}.isdisjoint(COPYLEFT | FORBIDDEN)


# Whose insides are called: docs/decisions/0056-rt-detr.md.
CAPPED = {"transformers>=5.24,<5.25"}


def test_requirements_have_lower_bounds_and_no_caps(settings: dict[str, Any]) -> None:
    lists = [settings["dependencies"], *settings["optional-dependencies"].values()]

    for requirement in {r for requirements in lists for r in requirements} - CAPPED:
        assert re.fullmatch(r"foveal\[[\w,]+\]|[\w.-]+(\[\w+\])?>=[\d.]+", requirement), requirement


def test_every_extra_that_is_named_anywhere_exists(settings: dict[str, Any], project: Path) -> None:
    texts = [*SOURCES, *project.glob("*.md"), *(project / "docs").rglob("*.md"), project / "Makefile"]
    named = {e for f in texts for e in re.findall(r"foveal\[([\w-]+)\]", f.read_text(encoding="utf-8"))}
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"MissingExtraError", "need"}:
                named |= {a.value for a in node.args[-1:] if isinstance(a, ast.Constant)}

    assert named - set(settings["optional-dependencies"]) == set()
    assert "train" in named


def test_extras_are_recognized_by_packages_that_they_bring(settings: dict[str, Any]) -> None:
    for extra, witnesses in extras._WITNESS.items():
        named = {name_of(r) for r in settings["optional-dependencies"][extra]}
        brought = {{"scikit-learn": "sklearn", "paho-mqtt": "paho"}.get(name, name) for name in named}
        assert set(witnesses) <= brought
        assert set(witnesses).isdisjoint(name_of(r) for r in settings["dependencies"])


def test_all_brings_every_extra_for_users(settings: dict[str, Any]) -> None:
    optional = settings["optional-dependencies"]
    for_users = set(optional) - {"all", "dev"}

    assert {e for r in optional["all"] for e in re.findall(r"\[([\w,]+)\]", r)[0].split(",")} == for_users


def test_version_is_in_changelog_and_citation(project: Path) -> None:
    assert f"version: {foveal.__version__}" in (project / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{foveal.__version__}]")
