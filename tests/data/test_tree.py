"""data.tree: only regular files, always in the same order, never waiting, never going in circles."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from foveal.core.errors import DataError, ImageError
from foveal.data.tree import below, folder_tree, is_clutter, read_regular

Folder = Callable[..., Path]


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def test_files_and_folders_come_sorted_with_their_length(tmp_path: Path) -> None:
    tree = folder_tree(write(tmp_path, "b/2.png", "b/10.png", "a/x/1.png", "Z.txt"))

    assert list(tree.files) == ["Z.txt", "a/x/1.png", "b/10.png", "b/2.png"]
    assert tree.files["b/10.png"] == len("b/10.png")
    assert tree.folders == ("a", "a/x", "b")
    assert tree.read("a/x/1.png", at_most=100) == b"a/x/1.png"


def test_a_long_file_is_read_just_beyond_the_limit(tmp_path: Path) -> None:
    tree = folder_tree(write(tmp_path, "long"))

    assert tree.read("long", at_most=2) == b"lon"


def test_an_empty_folder_is_seen(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()

    assert folder_tree(tmp_path).folders == ("cat",)


def test_clutter_is_not_seen(tmp_path: Path) -> None:
    clutter = [".DS_Store", "a/.ipynb_checkpoints/1.png", "__MACOSX/a/1.png", "a/Thumbs.db", "desktop.ini"]
    tree = folder_tree(write(tmp_path, "a/1.png", *clutter))

    assert list(tree.files) == ["a/1.png"]
    assert tree.folders == ("a",)
    assert all(is_clutter(name) for name in clutter)


def test_special_files_are_passed_over_and_never_opened(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a/fifo.png")
    (tmp_path / "a/dead.png").symlink_to("nowhere")
    (tmp_path / "a/itself.png").symlink_to("itself.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "a/s.png"))
        tree = folder_tree(tmp_path)

    assert list(tree.files) == ["a/1.png"]
    assert tree.passed_over == ("a/dead.png", "a/fifo.png", "a/itself.png", "a/s.png")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "store", "1.png")
    root = write(tmp_path / "data", "a/0.png")
    (root / "a/1.png").symlink_to(tmp_path / "store/1.png")
    (root / "b").symlink_to(tmp_path / "store")
    (root / "a/back").symlink_to(root)

    tree = folder_tree(root)

    assert list(tree.files) == ["a/0.png", "a/1.png", "b/1.png"]
    assert tree.passed_over == ("a/back",)


def test_a_fifo_put_in_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    tree = folder_tree(write(tmp_path, "1.png"))
    (tmp_path / "1.png").unlink()
    os.mkfifo(tmp_path / "1.png")

    with pytest.raises(ImageError, match="no regular file") as raised:
        tree.read("1.png", at_most=10)
    assert raised.value.code == "not_regular"


def test_a_folder_or_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no regular file"):
        read_regular(tmp_path, 10)
    with pytest.raises(ImageError, match=r"cannot read .*No such file") as raised:
        read_regular(tmp_path / "gone.png", 10)
    assert raised.value.code == "io_error"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)

    with pytest.raises(DataError, match="cannot list"):
        folder_tree(tmp_path)


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot list") as raised:
        folder_tree(tmp_path / "gone")
    assert raised.value.code == "unreadable_folder"


@pytest.mark.parametrize(
    "name", ["ein bär.png", "😀.png", " -x .png", "line\nbreak.png", "CON", "x" * 250 + ".png"]
)
def test_any_name_is_just_a_name(name: str, tmp_path: Path) -> None:
    tree = folder_tree(write(tmp_path, name))

    assert tree.read(name, at_most=1000) == name.encode()


def test_a_name_that_is_no_utf8_can_be_read(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"b\xe4r.png")).write_bytes(b"x")
    tree = folder_tree(tmp_path)

    assert tree.read(next(iter(tree.files)), at_most=10) == b"x"


def test_a_part_of_a_tree_is_a_tree(tmp_path: Path) -> None:
    inner = below(folder_tree(write(tmp_path, "top/a/1.png", "topmost/b/2.png")), "top")

    assert list(inner.files) == ["a/1.png"]
    assert inner.folders == ("a",)
    assert inner.read("a/1.png", at_most=100) == b"top/a/1.png"


def test_folders_that_cannot_be_listed_are_an_error_or_are_noted(tmp_path: Path, unlistable: str) -> None:
    for name in ("a/1.png", f"{unlistable}/2.png", "z/3.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    noted: list[str] = []

    assert list(folder_tree(tmp_path, unlistable=noted).files) == ["a/1.png", "z/3.png"]
    assert noted == [unlistable]
    with pytest.raises(DataError, match=r"cannot list .*locked: Permission denied"):
        folder_tree(tmp_path)
