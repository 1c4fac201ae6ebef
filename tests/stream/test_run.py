"""The loop: every frame is told or counted, what is told is right and not older than it may be."""

import itertools
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import foveal.stream
from foveal.bundle.predictor import Predictor
from foveal.cli.stream import stream
from foveal.core.errors import MissingExtraError, UnknownNameError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.stream.capture import Frame
from foveal.stream.events import Event
from foveal.stream.options import SourceOptions
from foveal.stream.plan import Plan, check
from foveal.stream.run import _Stream
from foveal.stream.shot import Incident, Shot
from foveal.stream.shown import Shown
from told import frames

av = pytest.importorskip("av")


class Slow:
    """A recognizer that needs a while."""

    def __init__(self, predictor: Predictor, seconds: float) -> None:
        self.inner, self.seconds = predictor, seconds
        self.classes, self.decision, self.digest = predictor.classes, predictor.decision, predictor.digest
        self.preprocess, self.manifest = predictor.preprocess, predictor.manifest

    def predict_each(self, inputs, *, workers, watch=None):
        time.sleep(self.seconds)
        return self.inner.predict_each(inputs, workers=workers, watch=watch)


def test_a_film_is_answered_frame_by_frame_without_a_loss(watch, film) -> None:
    colors = ["red"] * 7 + ["green"] * 9 + ["blue"] * 6

    summary, told = watch(film("a.mp4", colors, rate=25), hold=3)

    shown = frames(told)
    assert [item.answer.label for item in shown] == colors
    assert [item.frame for item in shown] == list(range(22))
    assert [item.time_s for item in shown] == pytest.approx([i / 25 for i in range(22)], abs=1e-3)
    assert all(item.dropped == 0 and item.age_ms > 0 for item in shown)
    assert (summary.frames, summary.captured, summary.dropped, summary.too_old) == (22, 22, 0, 0)
    events = [(e.what, e.label, e.frame) for e in told if isinstance(e, Event)]
    assert events == [
        ("enter", "red", 0),
        ("leave", "red", 7),
        ("enter", "green", 7),
        ("leave", "green", 16),
        ("enter", "blue", 16),
        ("leave", "blue", 21),
    ]
    assert summary.events == 6


def test_the_graph_is_given_what_preprocess_makes_of_the_full_frame_bit_for_bit(
    watch, film, predictor
) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (97, 143, 3), dtype=np.uint8)[:96, :142] for _ in range(6)]
    path = film("noise.mkv", pictures, codec="ffv1", pixels="yuv444p")
    given_to: list[np.ndarray] = []

    class Recorder:
        def __getattr__(self, name):
            return getattr(predictor.session, name)

        def run(self, images):
            given_to.append(images.copy())
            return predictor.session.run(images)

    watch(path, predictor=replace(predictor, session=Recorder()))

    with av.open(str(path)) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(given_to) == len(plain) == 6
    for images, pixels in zip(given_to, plain, strict=True):
        assert np.array_equal(images[0], predictor.preprocess(pixels))


def test_at_its_own_speed_a_film_takes_its_time_and_ages_are_those_since_frames_were_due(watch, film) -> None:
    begin = time.monotonic()

    summary, told = watch(film("a.mp4", ["red"] * 11, rate=20), live=True)

    assert time.monotonic() - begin >= 0.5
    assert summary.frames + summary.dropped + summary.too_old == summary.captured == 11
    assert [item.time_s for item in frames(told)] == sorted(item.time_s for item in frames(told))


def test_a_film_begins_anew_and_its_time_goes_on(watch, film) -> None:
    stop, path = threading.Event(), film("a.mp4", ["red", "green", "blue"], rate=10)
    seen = []

    def tell(item) -> None:
        if isinstance(item, Shown):
            seen.append(item)
            if len(seen) == 10:
                stop.set()

    summary, _ = watch(path, loop=True, stop=stop, tell=tell)

    assert [item.answer.label for item in seen] == (["red", "green", "blue"] * 4)[:10]
    assert [item.time_s for item in seen] == pytest.approx([i / 10 for i in range(10)], abs=0.005)
    assert summary.frames == 10
    assert summary.frames + summary.dropped == summary.captured


@pytest.mark.parametrize("limit_ms", [5, 60, 1000])
def test_nothing_is_told_that_is_older_than_it_may_be(watch, film, predictor, limit_ms) -> None:
    """Each answer takes 40 ms, and a frame comes every 10 ms."""
    path = film("a.mp4", ["red"] * 60, rate=100)

    summary, told = watch(path, live=True, max_latency_s=limit_ms / 1000, predictor=Slow(predictor, 0.04))

    assert all(item.age_ms <= limit_ms for item in frames(told))
    assert summary.frames + summary.dropped + summary.too_old == summary.captured == 60
    assert limit_ms != 5 or summary.frames == 0
    assert limit_ms != 1000 or summary.frames > 0
    assert summary.dropped + summary.too_old > 20


def test_what_is_too_old_for_even_the_fastest_answer_is_not_answered(predictor) -> None:
    answered = []

    class Counting(Slow):
        def predict_each(self, inputs, *, workers, watch=None):
            answered.append(inputs)
            return super().predict_each(inputs, workers=workers, watch=watch)

    plan = Plan(SourceOptions("film.mp4", live=True), max_latency_s=0.5)
    stream = _Stream(Counting(predictor, 0.1), plan, None, tell=lambda item: None, say=print)
    pixels = np.zeros((20, 20, 3), np.uint8)
    for index, age_s in enumerate((0.0, 0.45, 0.6, 0.0)):
        stream._take(Frame(index, Shot(time.monotonic() - age_s, float(index), lambda: pixels)))

    assert (stream.summary.frames, stream.summary.too_old) == (2, 2)
    assert len(answered) == 2


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 0.2), st.booleans()), max_size=12),
    st.sampled_from([None, 0.05, 0.1]),
)
def test_every_frame_that_is_taken_has_one_outcome_and_lines_say_how_many_are_missing(steps, limit_s) -> None:
    """Frames skip numbers (what a slot dropped), are of some age, and may be no picture."""
    told = []
    from foveal.core.errors import ImageError

    class Sure:
        classes = ("a",)
        preprocess = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
        manifest = SimpleNamespace(task="classify")

        def predict_each(self, inputs, *, workers, watch=None):
            from foveal.core.types import Label

            return [Label("#0", "a", 0.9, False, ("a",), {"a": 0.9})]

    plan = Plan(SourceOptions("film.mp4", live=True), max_latency_s=limit_s)
    stream = _Stream(Sure(), plan, None, tell=told.append, say=print)
    index = -1
    for skipped, age_s, broken in steps:
        index += 1 + skipped
        stream.summary.dropped += skipped

        def look(broken=broken):
            if broken:
                raise ImageError("it is none")
            return np.zeros((2, 2, 3), np.uint8)

        stream._take(Frame(index, Shot(time.monotonic() - age_s, float(index), look)))

    summary, lines = stream.summary, frames(told)
    assert summary.frames == len(lines)
    assert summary.frames + summary.dropped + summary.too_old == index + 1
    before = itertools.chain([-1], (line.frame for line in lines))
    assert all(line.frame == last + 1 + line.dropped for line, last in zip(lines, before, strict=False))
    if limit_s is not None:
        assert all(line.age_ms <= limit_s * 1000 for line in lines)


def test_a_reader_of_lines_that_stalls_is_not_waited_for_by_the_source(watch, film) -> None:
    """It gets the newest frame afterwards, and the line says how many are missing."""
    stalled = []

    def tell(item) -> None:
        if not stalled:
            stalled.append(item)
            time.sleep(0.6)

    summary, told = watch(film("a.mp4", ["red"] * 100, rate=100), live=True, tell=tell)

    shown = frames(told)
    assert max(item.dropped for item in shown) >= 30
    assert all(b.frame == a.frame + 1 + b.dropped for a, b in itertools.pairwise(shown))
    assert summary.frames + summary.dropped + summary.too_old == summary.captured == 100


def test_after_an_error_of_whoever_reads_lines_sinks_are_finished_and_the_source_is_let_go(
    watch, film, tmp_path
) -> None:
    def tell(item) -> None:
        if isinstance(item, Shown) and item.frame == 5:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        watch(film("a.mp4", ["red"] * 30), tell=tell, sinks=(f"video:{tmp_path}/out.mp4",))

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5
    assert not [t for t in threading.enumerate() if t.name.startswith("foveal-")]


def test_it_ends_when_the_time_is_over(watch, film) -> None:
    summary, _ = watch(film("a.mp4", ["red"] * 5, rate=10), live=True, loop=True, time_s=0.8)

    assert summary.seconds >= 0.8
    assert 3 <= summary.captured < 60


def test_events_are_only_about_what_is_watched_for(watch, film) -> None:
    path = film("a.mp4", ["red"] * 5 + ["green"] * 5 + ["red"] * 5)

    _, told = watch(path, hold=2, watch=("green",))

    events = [(e.what, e.label, e.frame) for e in told if isinstance(e, Event)]
    assert events == [("enter", "green", 5), ("leave", "green", 10)]


def test_a_label_that_the_bundle_does_not_have_is_told_with_those_it_has(watch, film) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'green'\? It has: blue, green, red"):
        watch(film("a.mp4", ["red"]), watch=("grean",))


def test_what_is_declined_makes_no_event(watch, film) -> None:
    grey = np.full((48, 64, 3), 128, np.uint8)

    summary, told = watch(film("grey.mp4", [grey] * 12))

    assert all(item.refused for item in frames(told))
    assert summary.events == 0


def test_a_monitor_looks_at_every_frame_and_its_alarms_are_events(watch, film, watched) -> None:
    path = film("bright.mp4", ["red"] * 260)

    summary, told = watch(path, monitor=True, predictor=Predictor.open(watched, threads=1))

    assert summary.monitor["pictures"] == 260
    assert summary.monitor["verdict"] == "changed"
    drifts = [item for item in told if isinstance(item, Incident) and item.what == "drift"]
    assert any("brightness" in item.message for item in drifts)


@pytest.mark.parametrize(
    ("options", "wishes", "match"),
    [
        (SourceOptions("photos", live=True), {}, "--live and --loop are for films"),
        (SourceOptions("http://127.0.0.1/", loop=True), {}, "--live and --loop"),
        (SourceOptions("a.mp4", existing=True), {}, "--existing is for folders"),
        (SourceOptions("a.mp4"), {"max_latency_s": 0.1}, "--max-latency is for live"),
        (SourceOptions("photos"), {"max_latency_s": 0.1}, "--max-latency is for live"),
        (SourceOptions("a.mp4", live=True, give_up_s=1.0), {}, "--give-up is for cameras"),
        (SourceOptions("udp://127.0.0.1:1"), {}, "no source of pictures"),
        (SourceOptions(""), {}, "no source of pictures"),
        (SourceOptions("a.mp4"), {"sinks": ("lines.jsonl",)}, "KIND:PLACE"),
        (SourceOptions("a.mp4"), {"sinks": ("jsnol:a",)}, "did you mean 'jsonl'"),
    ],
)
def test_what_does_not_go_together_is_refused(options, wishes, match, photos, monkeypatch) -> None:
    monkeypatch.chdir(photos.parent)
    Path("a.mp4").touch()

    with pytest.raises(UsageError, match=match):
        check(Plan(options, **wishes))


@pytest.mark.parametrize(
    ("place", "sinks", "needed"),
    [
        ("a.mp4", (), "video"),
        ("rtsp://127.0.0.1/", (), "video"),
        ("camera:0", (), "video"),
        ("photos", ("video:a.mp4",), "video"),
        ("photos", ("mqtt://127.0.0.1/a",), "mqtt"),
        ("photos", (), None),
        ("http://127.0.0.1/", ("jsonl:a",), None),
    ],
)
def test_an_extra_that_is_missing_is_told_first_and_only_where_it_is_needed(
    place, sinks, needed, photos, monkeypatch
) -> None:
    monkeypatch.chdir(photos.parent)
    monkeypatch.setattr("foveal.core.extras.missing", lambda extra: ["it"])

    if needed is None:
        check(Plan(SourceOptions(place), sinks=sinks))
        return
    with pytest.raises(MissingExtraError, match=rf"foveal\[{needed}\]"):
        check(Plan(SourceOptions(place), sinks=sinks))


def test_only_options_that_the_command_has_are_named() -> None:
    app = typer.Typer()
    app.command()(stream)
    known = {name for option in typer.main.get_command(app).params for name in option.opts}
    for path in Path(foveal.stream.__file__).parent.rglob("*.py"):
        assert set(re.findall(r"--[a-z][a-z-]+", path.read_text())) <= known, path
