"""explain.methods: the folders are the registry, and each file says what its maps mean."""

import sys
from pathlib import Path

import numpy as np
import pytest

from foveal.core.errors import UnknownNameError, UsageError
from foveal.explain import black_box, methods

NEW = '''"""Speaks for whatever is red."""

import numpy as np

UNIT = "shades"


def redness(runs, image, index, *, seed=0):
    """Return red."""
    return image[:, :, 0].astype(np.float32) + seed
'''


@pytest.mark.parametrize("name", methods.names())
def test_every_file_says_in_what_its_maps_are_and_takes_what_its_folder_says(name: str) -> None:
    found = methods.method(name, seed=3)

    assert found.name == name
    assert isinstance(found.unit, str)
    assert found.needs_network == methods.needs_network(name)
    assert found.settings in ([{}, {"layer": None}] if found.needs_network else [{"seed": 3}])


def test_units_are_those_that_the_page_of_the_command_names() -> None:
    units = {name: methods.method(name).unit for name in methods.names()}

    assert units == {"occlusion": "nats", "rise": "nats", "grad_cam": "logit", "attention": "share"}


def test_a_new_method_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise) -> None:
    (tmp_path / "redness.py").write_text(NEW)
    monkeypatch.setattr(black_box, "__path__", [*black_box.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "foveal.explain.black_box.redness", raising=False)

    found = methods.method("redness", seed=2)

    assert "redness" in methods.names()
    assert (found.unit, found.needs_network) == ("shades", False)
    assert np.array_equal(found.of(None)(noise(), 0), noise()[:, :, 0] + np.float32(2))


def test_auto_is_occlusion_and_a_name_may_be_written_either_way() -> None:
    assert methods.full_name("auto") == "occlusion"
    assert methods.full_name("grad-cam") == methods.full_name("grad_cam") == "grad_cam"
    with pytest.raises(UnknownNameError, match=r"explain has no 'magic'\. It has: attention, auto"):
        methods.full_name("magic")


def test_a_layer_is_for_methods_that_look_at_one() -> None:
    assert methods.method("grad_cam", layer="stages.0").settings == {"layer": "stages.0"}
    for name in ("occlusion", "rise", "attention"):
        with pytest.raises(UsageError, match=f"{name} looks at no one layer"):
            methods.method(name, layer="stages.0")
