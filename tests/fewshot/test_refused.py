"""What `add` refuses names the file and says why; names of classes are one however they are typed."""

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from foveal.core.errors import DataError, UsageError
from foveal.flows.fewshot_add import Target, add, remove
from foveal.flows.fewshot_teach import teach

Paint = Callable[..., list[Path]]
YES = Target(force=True)


@pytest.fixture
def made(few: Path, bundle: Path, tmp_path: Path) -> Path:
    return Path(teach(str(bundle), few, out=tmp_path / "t.foveal")["bundle"])


def test_a_picture_that_was_taught_is_named_with_the_class_that_it_was_taught_as(
    few: Path, made: Path, paint: Paint, tmp_path: Path
) -> None:
    fresh, known = paint(tmp_path / "v", "violet", 1)[0], few / "blue" / "003.png"
    stored_otherwise = tmp_path / "again.png"
    Image.open(known).save(stored_otherwise, compress_level=0)
    for picture in (known, stored_otherwise):
        with pytest.raises(DataError, match="was taught already, as blue") as raised:
            add(made, "violet", [fresh, picture], target=YES)
        assert (raised.value.code, raised.value.path) == ("taught_already", str(picture))
        assert str(picture) in raised.value.message


def test_a_picture_is_not_taught_twice_in_one_call(made: Path, paint: Paint, tmp_path: Path) -> None:
    content = made.read_bytes()
    first, other = paint(tmp_path / "v", "violet", 2)
    copy = Path(shutil.copy(first, tmp_path / "copy.png"))
    for twice in ([first, other, first], [first, other, copy]):
        with pytest.raises(DataError, match=f"is the same picture as {first}") as raised:
            add(made, "violet", twice, target=YES)
        assert (raised.value.code, raised.value.path) == ("taught_already", str(twice[-1]))
    assert made.read_bytes() == content
    assert add(made, "violet", [first, other], target=YES)["classes"]["violet"] == 2


def test_a_class_is_removed_by_its_name_in_either_form(made: Path, paint: Paint, tmp_path: Path) -> None:
    composed, taken_apart = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    assert composed != taken_apart
    new = paint(tmp_path / "v", "violet", 4)
    add(made, taken_apart, new[:2], target=YES)
    assert add(made, composed, new[2:], target=YES)["classes"][composed] == 4
    assert composed not in remove(made, taken_apart, target=YES)["classes"]


def test_a_blank_at_the_edge_makes_no_second_class(
    few: Path, bundle: Path, made: Path, paint: Paint, tmp_path: Path
) -> None:
    new = paint(tmp_path / "v", "violet", 2)
    for name in ("red ", " red", "red\n", "new\u00a0"):
        with pytest.raises(UsageError) as raised:
            add(made, name, new, target=YES)
        assert raised.value.code == "edge_blank"
        assert repr(name.strip()) in str(raised.value.hint)
    (few / "red").rename(few / "red ")  # a folder is called as it is called
    teach(str(bundle), few, out=tmp_path / "blank.foveal")
    assert add(tmp_path / "blank.foveal", "red ", new, target=YES)["classes"]["red "] == 8
    assert "red " not in remove(tmp_path / "blank.foveal", "red ", target=YES)["classes"]
