"""What the tests of a bundle share: engines of their own, and pictures to run."""

import os
import textwrap

import pytest

from foveal.bundle import engines, golden

ENGINE = """
from dataclasses import dataclass
import numpy as np
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core.errors import MissingExtraError

@dataclass(frozen=True)
class Session:
    engine: str
    precision: str
    input_shape: tuple
    classes: int
    inner: object

    def run(self, images):
        {run}

    def answer(self, images):
        {answer}

def precisions():
    return {precisions}

def {name}(model, *, threads, precision="fp32"):
    '''Test engine.'''
    inner = onnxruntime(model, threads=threads)
    return Session("{name} 1", precision, inner.input_shape, inner.classes, inner)
"""


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """Add an engine, here and in the processes that are started from here."""
    folder = tmp_path / "more_engines"
    folder.mkdir()
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(folder)])
    (tmp_path / "sitecustomize.py").write_text(
        f"import foveal.bundle.engines as engines\nengines.__path__.append({str(folder)!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    def add(name: str, run: str = "raise NotImplementedError", precisions=("fp32",), answer: str = "") -> str:
        answer = answer or "return self.inner.answer(images)"
        text = textwrap.dedent(ENGINE).format(name=name, run=run, answer=answer, precisions=precisions)
        (folder / f"{name}.py").write_text(text)
        return name

    return add


@pytest.fixture(scope="module")
def images():
    return golden.synthetic((16, 16), 3, count=20)
