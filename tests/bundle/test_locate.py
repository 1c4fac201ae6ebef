"""bundle.locate: MODEL is a bundle, or a run folder with exactly one."""

import pytest

from foveal.bundle.locate import locate
from foveal.core.errors import BundleError, NotFoundError


def test_file_is_itself(bundle) -> None:
    assert locate(bundle) == bundle
    assert locate(str(bundle)) == bundle


def test_run_folder_stands_for_its_only_bundle(bundle) -> None:
    assert locate(bundle.parent) == bundle


def test_nothing_there(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no .*nix"):
        locate(tmp_path / "nix")
    with pytest.raises(NotFoundError, match=r"holds no \.foveal file"):
        locate(tmp_path)
    with pytest.raises(NotFoundError, match="there is no x"):
        locate("x" * 300)


def test_several_bundles_are_not_chosen_from(tmp_path) -> None:
    for name in ("b.foveal", "a.foveal"):
        (tmp_path / name).touch()

    with pytest.raises(BundleError, match=r"several bundles: a\.foveal, b\.foveal") as caught:
        locate(tmp_path)
    assert caught.value.code == "ambiguous"
