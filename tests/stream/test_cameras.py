"""Cameras over HTTP that come and go."""

import subprocess
import sys
import threading

import pytest

from foveal.core.errors import DataError, DeviceError, NotFoundError, TemporaryError, UsageError
from foveal.stream.backoff import delay
from foveal.stream.reconnect import reconnected
from foveal.stream.shot import Incident, Running, Shot
from told import frames, stopper


@pytest.mark.parametrize("lengths", [True, False], ids=["with-lengths", "without"])
def test_pictures_over_http_are_answered(few, camera, as_jpeg, lengths) -> None:
    camera.pictures, camera.lengths = [as_jpeg("red"), as_jpeg("green")] * 500, lengths

    summary, told = few(camera.url, 6)

    shown = frames(told)
    assert {item.answer.label for item in shown} == {"red", "green"}
    assert all(item.answer.label == ("red", "green")[item.frame % 2] for item in shown)
    assert summary.frames + summary.dropped + summary.too_old == summary.captured
    assert camera.asked[0]["path"] == "/video"


def test_a_picture_is_told_when_it_is_there_and_not_when_the_next_one_is(few, camera, as_jpeg) -> None:
    """The second picture never comes."""
    camera.pictures, camera.pause = [as_jpeg("red")] * 2, 0
    first = threading.Event()

    class Never(list):
        def __iter__(self):
            yield as_jpeg("red")
            first.wait(60)

    camera.pictures = Never()

    summary, _ = few(camera.url, 1)
    first.set()

    assert summary.frames == 1


def test_a_camera_that_is_lost_and_comes_back_goes_on_with_rising_numbers(watch, camera, as_jpeg) -> None:
    camera.pictures = [as_jpeg("red")] * 100_000
    stop, told = threading.Event(), []
    stage = ["first"]

    def tell(item) -> None:
        told.append(item)
        if stage[0] == "first" and len(frames(told)) == 3:
            stage[0] = "away"
            camera.off()
        elif stage[0] == "away" and isinstance(item, Incident):
            assert item.what == "lost"
            stage[0] = "back"
            camera.on()
        elif (
            stage[0] == "back"
            and len(frames(told)) > 8
            and any(isinstance(i, Incident) and i.what == "back" for i in told)
        ):
            stop.set()

    summary, told = watch(camera.url, stop=stop, tell=tell)

    assert [item.what for item in told if isinstance(item, Incident)] == ["lost", "back"]
    assert summary.reconnects >= 1
    shown = frames(told)
    assert [item.frame for item in shown] == sorted({item.frame for item in shown})
    assert [item.time_s for item in shown] == sorted(item.time_s for item in shown)
    assert summary.frames + summary.dropped + summary.too_old == summary.captured


def test_a_camera_that_does_not_come_back_is_given_up(watch, camera, as_jpeg) -> None:
    camera.pictures = [as_jpeg("red")] * 3  # and then the answer ends

    told = []

    def tell(item) -> None:
        told.append(item)
        camera.pictures.clear()

    with pytest.raises(TemporaryError, match=r"no picture for .*the source ended") as caught:
        watch(camera.url, give_up_s=1.5, tell=tell)
    assert caught.value.code == "source_lost"
    assert len(camera.asked) > 2
    assert [item.what for item in told if isinstance(item, Incident)] == ["lost"]


def test_without_a_first_connection_it_ends_at_once_and_says_how_to_wait(watch, camera) -> None:
    camera.off()

    with pytest.raises(TemporaryError) as caught:
        watch(camera.url)
    assert "--give-up" in caught.value.hint
    camera.on()


def test_it_waits_for_a_camera_that_comes_later(watch, camera, as_jpeg) -> None:
    camera.pictures = [as_jpeg("blue")] * 100_000
    camera.off()
    stop = threading.Event()
    threading.Timer(0.4, camera.on).start()

    summary, _ = watch(camera.url, give_up_s=60, stop=stop, tell=stopper(2, stop))

    assert summary.frames == 2
    assert summary.reconnects >= 1


def test_a_broken_jpeg_is_told_in_its_place_and_the_rest_goes_on(few, camera, as_jpeg) -> None:
    good = as_jpeg("red")
    camera.pictures = [good, good[: len(good) // 2], b"<html>", good] * 500

    summary, told = few(camera.url, 12)

    codes = {item.as_json()["error"]["code"] for item in frames(told) if "error" in item.as_json()}
    assert codes == {"truncated", "not_image"}
    assert 0 < summary.unreadable < summary.frames


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (404, "text/html", NotFoundError),
        (401, "text/html", NotFoundError),
        (302, "text/html", NotFoundError),
        (503, "text/html", TemporaryError),
        (200, "text/html", DataError),
        (200, "image/jpeg", DataError),
    ],
)
def test_what_is_no_stream_is_told_so(watch, camera, status, kind, error) -> None:
    camera.status, camera.kind = status, kind

    with pytest.raises(error):
        watch(camera.url)
    assert len(camera.asked) == 1


def test_a_picture_without_end_is_not_read_for_ever(watch, camera, monkeypatch) -> None:
    from dataclasses import replace

    from foveal.stream.sources import mjpeg

    monkeypatch.setattr(mjpeg, "LIMITS", replace(mjpeg.LIMITS, content_bytes=10_000))
    camera.lengths, camera.pictures = False, [bytes(1_000_000)]

    with pytest.raises(DataError) as caught:
        watch(camera.url)
    assert caught.value.code == "too_many_bytes"


@pytest.mark.parametrize(
    "length", ["9" * 5000, "9" * 21, "-1", "1e3", "²", "0x10", "", "9" * 19], ids=range(8)
)
def test_a_length_that_is_none_is_told(watch, camera, length) -> None:
    camera.pictures, camera.length = [b"x"], length

    with pytest.raises(DataError, match="a picture of") as caught:
        watch(camera.url)
    assert caught.value.code == "too_many_bytes"
    assert len(caught.value.message) < 80


@pytest.mark.parametrize(
    "told",
    [
        "boundary=cut",
        'boundary="cut"',
        'boundary="--cut"; charset=utf-8',
        'Boundary = "cut"',
        "title*=no'charset'%ff; boundary=cut",
    ],
)
def test_the_mark_between_pictures_may_be_told_in_many_ways(few, camera, as_jpeg, told) -> None:
    camera.pictures, camera.kind = [as_jpeg("red")] * 500, f"multipart/x-mixed-replace; {told}"

    assert few(camera.url, 2)[0].frames == 2


def test_an_answer_that_python_cannot_read_is_no_connection(watch, camera) -> None:
    camera.kind = f"multipart/x-mixed-replace; title*{'9' * 5000}=x; boundary=cut"

    with pytest.raises(TemporaryError, match="no HTTP"):
        watch(camera.url)


def test_user_and_password_are_sent_and_never_shown(few, camera, as_jpeg) -> None:
    camera.pictures = [as_jpeg("red")] * 1000
    said = []

    few(camera.url.replace("//", "//ann:s%3Acret@"), 1, say=said.append)

    assert camera.asked[0]["Authorization"] == "Basic YW5uOnM6Y3JldA=="
    camera.off()
    with pytest.raises(TemporaryError) as caught:
        few(camera.url.replace("//", "//ann:s%3Acret@"), 1)
    assert "cret" not in caught.value.message + " ".join(said)
    camera.on()


def test_no_address_is_told_so(watch) -> None:
    with pytest.raises(UsageError, match="no address"):
        watch("http:///video")


def test_there_is_no_such_camera(watch) -> None:
    pytest.importorskip("av")
    with pytest.raises(DeviceError, match="/dev/video987"):
        watch("camera:987")
    with pytest.raises(DeviceError, match="no camera"):
        watch("/dev/null")


def test_waiting_times_double_up_to_a_limit() -> None:
    for attempt in range(2000):
        middle = min(30, 0.5 * 2 ** min(attempt, 10))
        assert 0.5 * middle <= delay(attempt, first_s=0.5, most_s=30) <= 1.5 * middle


def test_no_two_processes_wait_alike() -> None:
    """Many that lost the same camera must not come back at the same moment."""
    code = "from foveal.stream.backoff import delay; print([delay(n, first_s=1, most_s=9) for n in range(5)])"
    said = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)]

    assert said[0] != said[1]


def test_a_camera_that_is_unplugged_is_waited_for() -> None:
    """Then not even its device is there."""
    running, attempts = Running(), []

    def begin():
        attempts.append(len(attempts))
        if len(attempts) == 2:
            raise DeviceError("there is no camera /dev/video0")
        yield Shot(1.0, 1.0, lambda: b"")

    shots = reconnected(begin, running, give_up_s=None)

    assert [next(shots).captured for _ in range(2)] == [1.0, 1.0]
    assert len(attempts) == 3


def test_of_a_source_that_never_was_there_only_the_error_is_said(watch, camera) -> None:
    camera.off()
    said = []

    with pytest.raises(TemporaryError):
        watch(camera.url, say=said.append)
    camera.on()
    assert said == []
