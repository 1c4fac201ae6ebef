"""Promises that every plug-in keeps; a new file is covered the moment it exists.

Corruptions, augmentations, architectures and checks have theirs beside their own tests.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import typer

from foveal import cli, metrics, models
from foveal.bundle import engines
from foveal.calibrate import sets
from foveal.calibrate import unknowns as unknown_scores
from foveal.certify import measurements
from foveal.cli._main import run
from foveal.core import catalog
from foveal.core.errors import UnknownNameError, UsageError
from foveal.core.types import Measured
from foveal.data import checks, formats, synthetic
from foveal.data.dataset import Dataset
from foveal.data.tree import folder_tree
from foveal.explain import black_box, white_box
from foveal.optimize import families, importance, steps
from foveal.perturb import corruptions
from foveal.perturb import unknowns as unknown_pictures
from foveal.perturb.attacks import black_box as asking
from foveal.perturb.attacks import patches
from foveal.perturb.attacks import white_box as following
from foveal.perturb.attacks import white_box as white_box_attacks
from foveal.stream import sinks, sources
from foveal.tasks.classify import set_scores
from foveal.train import adaptation, augment, classical, matching, objectives
from foveal.train.objective import Batch, Objective

GROUPS = {name: importlib.import_module(f"foveal.cli.{name}") for name in catalog.folders(cli)}
FOLDERS = [
    adaptation,
    asking,
    augment,
    black_box,
    checks,
    classical,
    cli,
    corruptions,
    engines,
    families,
    following,
    formats,
    importance,
    matching,
    measurements,
    metrics,
    models,
    patches,
    set_scores,
    sets,
    sinks,
    sources,
    steps,
    synthetic,
    unknown_pictures,
    unknown_scores,
    white_box,
    white_box_attacks,
]
FOLDERS += GROUPS.values()
FILES = [(folder, name) for folder in FOLDERS for name in catalog.names(folder)]
# Each command with the words it is called by; a folder of commands has one page for all of them.
COMMANDS = [(name,) for name in catalog.names(cli)]
COMMANDS += [(group, name) for group, folder in GROUPS.items() for name in catalog.names(folder)]
ON_ANSWERS = [
    name
    for name in catalog.names(metrics)
    if list(inspect.signature(catalog.find(metrics, name)).parameters)[:2] == ["probabilities", "labels"]
]


def identity(folder: ModuleType) -> str:
    return folder.__name__.removeprefix("foveal.")


@pytest.mark.parametrize(
    ("folder", "name"), FILES, ids=lambda value: value if isinstance(value, str) else identity(value)
)
def test_every_file_defines_what_it_is_called_and_says_what_it_is(folder: ModuleType, name: str) -> None:
    plug_in = catalog.find(folder, name)

    module = importlib.import_module(f"{folder.__name__}.{name}")
    assert module.__doc__
    assert plug_in.__doc__
    if callable(plug_in):
        assert plug_in.__module__ == module.__name__, "it is defined there, not passed on"
        kinds = {p.kind for p in inspect.signature(plug_in).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, "a misspelt option must not be swallowed"


@pytest.mark.parametrize("folder", FOLDERS, ids=identity)
def test_every_folder_describes_its_contract_and_names_what_it_has(folder: ModuleType) -> None:
    assert folder.__doc__
    with pytest.raises(UnknownNameError, match=f"It has: .*{catalog.names(folder)[0]}"):
        catalog.find(folder, "nothing_like_it")


def answers(images: int = 60, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes))
    scores[np.arange(images), labels] += 1.5
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), labels


def arguments(name: str) -> dict[str, Any]:
    return {"threshold": 0.5} if name == "coverage_at_risk" else {}


def numbers(value: Any) -> Iterator[float]:
    """Yield every number inside a metric's result."""
    if isinstance(value, np.ndarray):
        yield from value.ravel().tolist()
    elif isinstance(value, Measured):
        yield from (value.value, value.low, value.high, value.n)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from numbers(one)
    elif hasattr(value, "__dataclass_fields__"):
        yield from numbers([getattr(value, field) for field in value.__dataclass_fields__])
    elif isinstance(value, int | float):
        yield float(value)


@pytest.mark.parametrize("name", ON_ANSWERS)
def test_metric_does_not_depend_on_the_order_of_the_images(name: str) -> None:
    metric, (probabilities, labels) = catalog.find(metrics, name), answers()
    order = np.random.default_rng(1).permutation(len(labels))

    found = list(numbers(metric(probabilities, labels, **arguments(name))))

    assert found
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        list(numbers(metric(probabilities[order], labels[order], **arguments(name)))),
        found,
        rtol=1e-6,
        atol=1e-9,
    )


@pytest.mark.parametrize("name", ON_ANSWERS)
def test_metric_leaves_its_arguments_alone_and_refuses_nonsense(name: str) -> None:
    metric, (probabilities, labels) = catalog.find(metrics, name), answers()
    before = probabilities.copy(), labels.copy()

    metric(probabilities, labels, **arguments(name))

    assert np.array_equal(probabilities, before[0])
    assert np.array_equal(labels, before[1])
    for broken in (
        (probabilities[:0], labels[:0]),
        (probabilities[:5], labels[:4]),
        (probabilities * np.nan, labels),
        (probabilities, labels + 100),
        (probabilities, labels.astype(float)),
    ):
        with pytest.raises(UsageError):
            metric(*broken, **arguments(name))


@pytest.mark.parametrize("name", catalog.names(formats))
def test_format_says_what_it_looks_for_and_what_an_empty_folder_lacks(name: str, tmp_path: Path) -> None:
    layout = catalog.find(formats, name)

    assert layout.looks_for
    assert layout.lacks(folder_tree(tmp_path))


@pytest.mark.parametrize("name", catalog.names(engines))
def test_engine_gives_the_same_answers_for_any_batch(name: str, classifier: Callable[..., bytes]) -> None:
    session = catalog.find(engines, name)(classifier(), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    before = images.copy()

    together, logits = session.run(images)

    assert session.engine.startswith(name)
    assert (together.dtype, logits.dtype, together.shape) == (np.float32, np.float32, (5, 3))
    alone = np.concatenate([session.run(images[i : i + 1])[0] for i in range(5)])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    assert session.run(images[:0])[0].shape == (0, 3)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("name", catalog.names(objectives))
def test_objective_has_the_face_that_the_loop_calls(name: str) -> None:
    module = importlib.import_module(f"foveal.train.objectives.{name}")
    (objective,) = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Objective) and value.__module__ == module.__name__
    ]

    assert objective.__name__.lower() == name.replace("_", "")
    assert "forward" in vars(objective)
    assert set(inspect.signature(objective.forward).parameters) == {"self", "batch"}
    assert Batch.__name__ in str(inspect.signature(objective.forward))
    assert issubclass(objective, torch.nn.Module)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_explains_itself(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*(word.replace("_", "-") for word in words), "--help"]) == 0

    told = capsys.readouterr().out
    assert "Usage: foveal" in told
    assert "Exit codes:" in told


def options(words: tuple[str, ...]) -> list[str]:
    app = typer.Typer(add_completion=False)
    app.command()(catalog.find(GROUPS[words[0]] if len(words) > 1 else cli, words[-1]))
    parameters = typer.main.get_command(app).params
    return [max(p.opts, key=len) for p in parameters if p.param_type_name == "option" and p.name != "help"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_has_a_page_that_explains_every_option(words: tuple[str, ...], project: Path) -> None:
    page = (project / "docs" / "commands" / f"{words[0]}.md").read_text(encoding="utf-8")

    explained = set(re.findall(r"`(--[\w-]+)", page))
    assert explained >= set(options(words))


def test_there_is_no_page_without_a_command(project: Path) -> None:
    pages = {page.stem for page in (project / "docs" / "commands").glob("*.md")}

    assert pages - {words[0] for words in COMMANDS} <= {"README"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_can_be_asked_for_json(words: tuple[str, ...]) -> None:
    assert "--json" in options(words)


def test_dataset_is_what_every_format_returns() -> None:
    assert all(
        inspect.signature(catalog.find(formats, n).read).return_annotation is Dataset
        for n in catalog.names(formats)
    )
