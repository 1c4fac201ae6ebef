"""Films that are broken, strange or hostile: each has an error of its own, or a stated behaviour.

Row 83 of the catalogue of bad inputs; every film is made here.
"""

import http.server
import itertools
import math
import os
import struct
import threading
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from foveal.core.errors import DataError, FovealError, NotFoundError
from foveal.stream.shot import Running
from foveal.stream.shown import Shown
from foveal.stream.sources import file as file_source
from foveal.stream.sources._av import _Trust
from told import frames

av = pytest.importorskip("av")


def labels(told) -> list[str]:
    return [item.answer.label for item in told if isinstance(item, Shown)]


def assert_in_order(told) -> None:
    shown = frames(told)
    assert all(a.frame < b.frame and a.time_s <= b.time_s for a, b in itertools.pairwise(shown))


def noise(name: str, color, seed: int, size=(96, 64)) -> np.ndarray:
    """A picture that takes many bytes and whose strongest colour is plain all the same."""
    rng = np.random.default_rng(seed)
    return (color(name, size) * rng.uniform(0.6, 1.0, (size[1], size[0], 1))).astype(np.uint8)


def test_no_such_file(watch, tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no .*gone\.mp4"):
        watch(tmp_path / "gone.mp4")


@pytest.mark.parametrize("content", [b"", b"x", b"<html>not found</html>", bytes(5000)])
def test_what_is_no_film_is_told_so(watch, tmp_path, content) -> None:
    (tmp_path / "a.mp4").write_bytes(content)

    with pytest.raises(DataError) as caught:
        watch(tmp_path / "a.mp4")
    assert caught.value.code in ("not_a_video", "no_video", "no_frames")


def test_a_film_of_no_frames(watch, film) -> None:
    with pytest.raises(DataError) as caught:
        watch(film("none.mkv", []))
    assert caught.value.code in ("no_frames", "no_video", "not_a_video")


def test_a_film_of_no_frames_that_is_looped_ends_all_the_same(watch, film) -> None:
    with pytest.raises(DataError):
        watch(film("none.mkv", []), loop=True)


def test_an_mp4_whose_index_was_cut_off(watch, film) -> None:
    path = film("cut.mp4", ["red"] * 30)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])

    with pytest.raises(DataError, match="index") as caught:
        watch(path)
    assert caught.value.code == "not_a_video"


def test_of_an_mp4_that_was_cut_off_what_is_there_is_answered_and_the_rest_is_told(
    watch, film, color
) -> None:
    pictures = [noise("red", color, i) for i in range(40)]
    path = film("cut.mp4", pictures, mux={"movflags": "faststart"}, gop_size=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    summary, told = watch(path)

    assert 15 <= summary.frames < 40
    assert set(labels(told)) == {"red"}
    assert any("40 frames" in note for note in summary.notes)


def test_an_mkv_that_was_cut_off_is_answered_as_far_as_it_goes(watch, film, color) -> None:
    path = film("cut.mkv", [noise("blue", color, i) for i in range(40)], gop_size=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    summary, told = watch(path)

    assert 15 <= summary.frames < 40
    assert set(labels(told)) == {"blue"}


@pytest.mark.parametrize(
    ("rate", "step"),
    [
        (None, 0.04),
        (0, 0.04),
        (Fraction(0), 0.04),
        (math.nan, 0.04),
        (10**6, 0.04),
        (1e-9, 0.04),
        (25, 0.04),
        (50, 0.02),
    ],
)
def test_frames_a_second_that_cannot_be_are_not_believed(rate, step) -> None:
    assert file_source._step(rate) == pytest.approx(step)


def test_a_film_that_says_0_frames_a_second(watch, film) -> None:
    path = film("slow.avi", ["red"] * 5)
    content = bytearray(path.read_bytes())
    head = content.index(b"strh") + 8
    content[head + 20 : head + 28] = struct.pack("<II", 1, 0)  # scale, rate
    path.write_bytes(content)

    summary, told = watch(path)

    assert summary.frames == 5
    assert_in_order(told)


def test_a_film_of_a_million_frames_a_second_has_rising_numbers(watch, film) -> None:
    for live in (False, True):
        summary, told = watch(
            film("fast.avi", ["red"] * 9, codec="mjpeg", pixels="yuvj420p", rate=10**6), live=live
        )

        assert summary.captured == 9
        assert_in_order(told)


def test_a_size_that_changes_and_a_time_that_goes_back_midway(watch, film, tmp_path, color) -> None:
    first = film("a.ts", [color("red", (64, 48))] * 10, codec="mpeg2video")
    second = film("b.ts", [color("green", (96, 80))] * 10, codec="mpeg2video")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())

    summary, told = watch(both)

    shapes = {item.picture.shape for item in frames(told)}
    assert shapes == {(48, 64, 3), (80, 96, 3)}
    assert set(labels(told)) == {"red", "green"}
    assert summary.frames + summary.damaged >= 18
    assert_in_order(told)


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
    ids=["90", "180", "270"],
)
def test_rotation_is_applied(watch, film, matrix, turns) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = (255, 0, 0)
    path = film("turned.mp4", [picture] * 3)
    content = bytearray(path.read_bytes())
    tkhd = content.index(b"tkhd") + 4
    place = tkhd + (40 if content[tkhd] == 0 else 52)
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)

    _, told = watch(path)

    seen = frames(told)[0].picture.astype(int)
    expected = np.rot90(picture, turns)
    assert seen.shape == expected.shape
    assert np.abs(seen - expected).mean() < 20


def test_frames_that_are_stored_in_another_order_come_as_they_are_shown(watch, film) -> None:
    colors = ["red", "green", "blue"] * 8
    path = film("b.mp4", colors, codec="mpeg4", max_b_frames=2, gop_size=12)
    with av.open(str(path)) as container:
        stored = [p.pts for p in container.demux(video=0) if p.pts is not None]
    assert stored != sorted(stored), "the film has frames that are stored in another order"

    _, told = watch(path)

    assert labels(told) == colors
    assert_in_order(told)


def test_each_frame_has_its_own_time(watch, film) -> None:
    times = [0, 40, 45, 300, 1000]

    _, told = watch(film("vfr.mkv", ["red"] * 5, times=times, codec="ffv1"))

    assert [item.time_s for item in frames(told)] == pytest.approx([t / 1000 for t in times], abs=0.0015)


def test_ten_bits(watch, film) -> None:
    _, told = watch(film("deep.mkv", ["red", "green", "blue"], codec="ffv1", pixels="yuv420p10le"))

    assert labels(told) == ["red", "green", "blue"]


def test_sound_alone(watch, tmp_path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))

    with pytest.raises(DataError, match="no picture") as caught:
        watch(path)
    assert caught.value.code == "no_video"


def test_after_damage_nothing_is_answered_until_a_frame_that_stands_alone(watch, film, color) -> None:
    """What is answered is right, and what is not is counted."""
    pictures = [noise("red", color, i) for i in range(60)]
    path = film("damaged.mp4", pictures, gop_size=10)
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + path.stat().st_size // 3
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(content)

    summary, told = watch(path)

    assert summary.damaged > 0
    assert summary.frames >= 40
    assert set(labels(told)) == {"red"}
    assert summary.frames + summary.dropped + summary.too_old == summary.captured
    for item in frames(told):
        difference = item.picture.astype(int) - pictures[0].astype(int)
        assert np.abs(difference).mean() < 60, f"frame {item.frame} is smeared"


def test_frames_are_not_believed_between_damage_and_a_frame_that_stands_alone() -> None:
    @dataclass
    class Frame:
        key_frame: bool = False
        is_corrupt: bool = False

    @dataclass
    class Packet:
        frame: Frame | None
        is_corrupt: bool = False

        def decode(self):
            if self.frame is None:
                raise av.error.InvalidDataError(1, "damaged")
            return [self.frame]

    plain, alone, broken = Packet(Frame()), Packet(Frame(key_frame=True)), Packet(None)
    flagged, cut = Packet(Frame(key_frame=True, is_corrupt=True)), Packet(Frame(), is_corrupt=True)
    running = Running()
    trust = _Trust(running)

    def believed(*packets) -> list[bool]:
        return [bool(trust.frames(packet)) for packet in packets]

    assert believed(plain, broken, plain, plain, alone, plain) == [True, False, False, False, True, True]
    assert running.damaged == 3
    assert believed(flagged, plain, alone) == [False, False, True]
    assert believed(cut, plain, alone) == [False, False, True]
    assert believed(broken, *[plain] * 251) == [False] * 251 + [True]


def test_a_day_long_gap_is_kept_in_the_times_and_not_waited_for(watch, film, monkeypatch) -> None:
    monkeypatch.setattr(file_source, "_LONGEST_GAP_S", 0.05)
    path = film("day.mkv", ["red"] * 3, times=[0, 40, 86_400_000], codec="ffv1")

    _, told = watch(path)
    assert frames(told)[-1].time_s == pytest.approx(86_400, abs=0.01)

    summary, told = watch(path, live=True)
    assert frames(told)[-1].time_s == pytest.approx(86_400, abs=0.01)
    assert any("gap" in note for note in summary.notes)


def test_a_list_that_is_called_a_film_has_nothing_else_read(watch, tmp_path, film) -> None:
    """A playlist names addresses, a concat script files: neither is asked for."""
    asked = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    film("secret.mkv", ["red"])
    texts = [
        f"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:{server.server_address[1]}/x.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mkv\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mkv\n",
    ]
    for index, text in enumerate(texts):
        path = tmp_path / f"list{index}.mp4"
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            watch(path)
        assert caught.value.code == "not_a_video"
    server.shutdown()
    server.server_close()

    assert asked == []


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "pipe:0", "data:video/mp4;base64,AAAA"])
def test_a_name_is_a_name_and_no_instruction(watch, name) -> None:
    with pytest.raises(FovealError) as caught:
        watch(name)
    assert caught.value.exit_code in (2, 66)


@pytest.mark.parametrize("name", ["a\udce4.mp4", "a b\n.mp4", "-.mp4", "concat:%d|a.mp4", "é…🎬.mp4"])
def test_any_name_will_do(watch, film, name, monkeypatch) -> None:
    path = film("a.mp4", ["red"])

    monkeypatch.chdir(path.rename(path.with_name(name)).parent)

    summary, _ = watch(name)

    assert summary.frames == 1


def test_what_is_no_regular_file_is_not_waited_for(watch, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")

    with pytest.raises(DataError, match="regular"):
        watch(tmp_path / "pipe.mp4")
