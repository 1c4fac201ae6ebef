"""bundle.locate: MODEL is a bundle, or a run folder with exactly one."""

import os
import shutil

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


def test_hint_names_the_way_on(tmp_path) -> None:
    with pytest.raises(NotFoundError) as caught:
        locate(tmp_path)
    assert caught.value.hint == "MODEL is a run folder or a .foveal file"

    (tmp_path / "recipe.toml").touch()
    with pytest.raises(NotFoundError) as caught:
        locate(tmp_path)
    assert caught.value.hint == f"its training did not finish: foveal train DATA --resume {tmp_path}"


def test_text_file_last_leads_to_the_run_it_names(bundle, tmp_path) -> None:
    (tmp_path / "train-1").mkdir()
    shutil.copy(bundle, tmp_path / "train-1/colors.foveal")
    last = tmp_path / "last"

    last.write_text("train-1\n", encoding="utf-8")
    assert locate(last) == tmp_path / "train-1/colors.foveal"


@pytest.mark.parametrize("content", [b"", b"train-9", b"..", b"../elsewhere", b"\xff" * 300])
def test_file_last_that_names_no_run_is_itself(tmp_path, content) -> None:
    (tmp_path / "last").write_bytes(content)

    assert locate(tmp_path / "last") == tmp_path / "last"


def test_pipe_called_last_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "last")

    assert locate(tmp_path / "last") == tmp_path / "last"


def test_several_bundles_are_not_chosen_from(tmp_path) -> None:
    for name in ("b.foveal", "a.foveal"):
        (tmp_path / name).touch()

    with pytest.raises(BundleError, match=r"several bundles: a\.foveal, b\.foveal") as caught:
        locate(tmp_path)
    assert caught.value.code == "ambiguous"
