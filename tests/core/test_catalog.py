"""core.catalog: the folder is the registry."""

import sys

import pytest

from foveal.core import catalog
from foveal.core.errors import UnknownNameError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    package = tmp_path / "sample_plug_ins"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "fog.py").write_text("def fog():\n    return 'grey'\n")
    (package / "_shared.py").touch()
    (package / "broken.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import sample_plug_ins

    yield sample_plug_ins
    for name in [name for name in sys.modules if name.startswith("sample_plug_ins")]:
        del sys.modules[name]


def test_names_are_found_without_importing(folder):
    assert catalog.names(folder) == ["broken", "fog"]


def test_a_name_gives_what_the_file_defines(folder):
    assert catalog.find(folder, "fog")() == "grey"


@pytest.mark.parametrize("name", ["_shared", "frog", "fog.fog", ""])
def test_other_names_are_refused(folder, name):
    with pytest.raises(UnknownNameError, match="It has: broken, fog"):
        catalog.find(folder, name)
