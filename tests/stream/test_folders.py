"""Folders that fill up, go away and come back."""

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import NotFoundError, TemporaryError
from foveal.stream.shot import Incident
from foveal.stream.shown import Shown
from foveal.stream.sources import folder
from told import frames


def save(folder, name: str, color: str, seconds: float, pixels) -> None:
    Image.fromarray(pixels(color)).save(folder / name)
    os.utime(folder / name, (seconds, seconds))


def test_pictures_in_a_folder_come_by_their_time_and_then_by_their_name(few, photos, color) -> None:
    for name, shade, seconds in (("c.png", "red", 5), ("b.png", "green", 9), ("a.jpg", "blue", 9)):
        save(photos, name, shade, seconds, color)
    (photos / "notes.txt").write_text("x")
    (photos / ".hidden.png").write_bytes(b"x")

    summary, told = few(photos, 3, existing=True)

    assert [Path(item.source).name for item in frames(told)] == ["c.png", "a.jpg", "b.png"]
    assert [item.answer.label for item in frames(told)] == ["red", "blue", "green"]
    assert summary.dropped == 0
    assert "source" in frames(told)[0].as_json()


@pytest.mark.parametrize(
    ("names", "existing", "said"),
    [
        (("notes.txt", "a.mp4"), False, "no picture is there yet; those that appear are answered"),
        (
            ("a.png", "b.png"),
            False,
            "2 pictures there already, passed over; new ones are answered (--existing",
        ),
        (("a.png",), True, "1 picture there already, then those that appear"),
    ],
)
def test_it_is_said_at_once_what_a_folder_waits_for(watch, photos, color, names, existing, said) -> None:
    for name in names:
        if name.endswith(".png"):
            save(photos, name, "red", 5, color)
        else:
            (photos / name).write_bytes(b"x")
    lines = []

    summary, _ = watch(photos, existing=existing, say=lines.append, time_s=0.5)

    assert said in lines[0]
    assert summary.notes == [lines[0]]


def test_only_new_pictures_are_taken_each_once_and_never_a_half_written_one(
    watch, photos, color, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(folder, "_SETTLED_S", 2.0)  # a busy machine stops a writer for a second
    save(photos, "old.png", "red", 5, color)
    Image.fromarray(np.kron(color("green"), np.ones((4, 4, 1), np.uint8))).save(tmp_path / "whole.bmp")
    content = (tmp_path / "whole.bmp").read_bytes()
    stop, told = threading.Event(), []

    def write_slowly() -> None:
        """In pieces that come sooner than a file is taken for finished."""
        for end in range(0, len(content), len(content) // 8):
            with (photos / "slow.bmp").open("ab") as file:
                file.write(content[end : end + len(content) // 8])
            stop.wait(0.1)

    def tell(item) -> None:
        if not isinstance(item, Shown):
            return
        told.append(item)
        if item.source.endswith("first.png"):
            threading.Thread(target=write_slowly).start()
        if item.source.endswith("slow.bmp"):
            stop.set()

    def begin() -> None:
        save(photos, "first.png", "blue", 7, color)

    starter = threading.Timer(0.5, begin)
    starter.start()
    summary, _ = watch(photos, stop=stop, tell=tell)

    assert [Path(item.source).name for item in told] == ["first.png", "slow.bmp"]
    assert [item.answer.label for item in told] == ["blue", "green"]
    assert summary.unreadable == 0


def test_a_picture_that_replaces_another_is_answered_and_so_is_one_whose_writer_paused(
    watch, photos, color, tmp_path
) -> None:
    save(tmp_path, "whole.png", "green", 5, color)
    (photos / "a.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    stop, told = threading.Event(), []

    def tell(item) -> None:
        if isinstance(item, Shown):
            told.append(item)
            if len(told) == 1:
                (photos / "a.png").write_bytes((tmp_path / "whole.png").read_bytes())
            elif len(told) == 2:
                save(tmp_path, "next.png", "blue", 6, color)
                (tmp_path / "next.png").rename(photos / "a.png")
            else:
                stop.set()

    summary, _ = watch(photos, existing=True, stop=stop, tell=tell, time_s=60)

    assert told[0].as_json()["error"]["code"] == "truncated"
    assert [item.answer.label for item in told[1:]] == ["green", "blue"]
    assert summary.frames == 3


def test_a_file_that_is_no_picture_is_told_in_its_place(few, photos, color) -> None:
    (photos / "a.png").write_bytes(b"<html>")
    os.utime(photos / "a.png", (1, 1))
    save(photos, "b.png", "red", 2, color)

    summary, told = few(photos, 2, existing=True)

    assert [list(item.as_json())[4] for item in frames(told)] == ["error", "result"]
    assert summary.unreadable == 1


def test_an_empty_file_that_stays_so_is_told(few, photos) -> None:
    (photos / "a.png").touch()

    summary, told = few(photos, 1, existing=True, time_s=60)

    assert frames(told)[0].as_json()["error"]["code"] == "empty"
    assert (summary.frames, summary.unreadable) == (1, 1)


def test_a_file_that_is_opened_long_before_it_is_written_is_waited_for(few, photos, color) -> None:
    (photos / "a.png").touch()
    written = io.BytesIO()
    Image.fromarray(color("red")).save(written, "PNG")
    writer = threading.Timer(1.0, (photos / "a.png").write_bytes, [written.getvalue()])
    writer.start()

    summary, told = few(photos, 1, existing=True, time_s=60)

    writer.join()
    assert frames(told)[0].as_json()["result"]["label"] == "red"
    assert (summary.frames, summary.unreadable) == (1, 0)


def test_a_folder_that_is_back_goes_on_where_it_was(watch, photos, color, tmp_path) -> None:
    """It goes while pictures in it wait: none of them is lost, told as broken or answered again."""
    for index in range(12):
        save(photos, f"{index:02}.png", "red", index + 1, color)
    stop, told, away = threading.Event(), [], tmp_path / "away"

    def tell(item) -> None:
        told.append(item)
        if isinstance(item, Incident) and item.what == "lost":
            save(away, "01.png", "blue", 98, color)  # the same name, but another picture
            save(away, "new.png", "green", 99, color)
            away.rename(photos)
        elif isinstance(item, Shown) and not away.exists() and len(frames(told)) == 2:  # 01.png was taken
            photos.rename(away)
        elif len(frames(told)) == 14:
            stop.set()

    summary, _ = watch(photos, existing=True, stop=stop, tell=tell, time_s=60)

    names = [Path(item.source).name for item in frames(told)]
    assert sorted(names) == sorted([*(f"{index:02}.png" for index in range(12)), "01.png", "new.png"])
    assert [item.what for item in told if isinstance(item, Incident)] == ["lost", "back"]
    assert summary.unreadable == 0
    assert summary.reconnects >= 1


def test_a_folder_of_which_the_system_says_nothing_is_waited_for(
    watch, photos, color, tmp_path, monkeypatch
) -> None:
    """As of one on a machine that went away; here a link to a name that is too long."""
    for name in ("a.png", "b.png"):
        save(photos, name, "red", 1, color)
    stop, told, away, read = threading.Event(), [], tmp_path / "away", folder._content

    def content(path):
        if not told:
            photos.rename(away)
            photos.symlink_to("x" * 300)
        return read(path)

    def tell(item) -> None:
        told.append(item)
        if isinstance(item, Incident) and item.what == "lost":
            photos.unlink()
            away.rename(photos)
        elif len(frames(told)) == 2:
            stop.set()

    monkeypatch.setattr(folder, "_content", content)
    summary, _ = watch(photos, existing=True, stop=stop, tell=tell, time_s=60)

    assert [Path(item.source).name for item in frames(told)] == ["a.png", "b.png"]
    assert summary.unreadable == 0


def test_a_folder_that_does_not_come_back_is_given_up(watch, photos, color) -> None:
    save(photos, "a.png", "red", 1, color)

    def tell(item) -> None:
        if isinstance(item, Shown):
            (photos / "a.png").unlink()
            photos.rmdir()

    with pytest.raises(TemporaryError, match="cannot be listed") as caught:
        watch(photos, existing=True, give_up_s=0.5, tell=tell, time_s=60)
    assert caught.value.code == "source_lost"


@pytest.mark.parametrize("wishes", [{}, {"existing": True}, {"give_up_s": 5.0}])
def test_a_folder_that_is_not_there_at_the_start_is_told(watch, photos, wishes) -> None:
    with pytest.raises(NotFoundError, match=r"there is no .*gone"):
        watch(photos / "gone", **wishes)
