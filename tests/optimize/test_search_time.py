"""How a search divides its time, on a clock that only its own work moves: shares, order, kills, no time left.

Nothing is trained or timed here: every piece of work takes a time that a `World` says, and every write to
the disk is a moment at which the process may be killed.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.bundle.ways import Way
from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.random import stream
from foveal.export.lowering import Lowering
from foveal.optimize import lessons
from foveal.optimize import search as searching
from foveal.optimize import workshop as workshops
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate
from foveal.optimize.labels import Pictures
from foveal.optimize.lessons import Learning
from foveal.optimize.search import search
from foveal.optimize.steps.distill import Lesson
from foveal.optimize.variant import Speed, Variant
from foveal.optimize.workshop import Roles, Workshop
from foveal.train.examples import Examples
from foveal.train.plan import Plan

SHORT, ROUNDING, CERTIFY, LEAST = 0.05, 0.1, 0.12, 2.0  # of the budget, and seconds: what 0021 promises
TICKS = 8  # that a lesson tells of
WAY = Way("onnxruntime", "fp32", 1)
PICTURES = 1000


class Killed(BaseException):
    """What no program catches."""


@dataclass
class World:
    """What work takes and what comes of it.

    Attributes:
        measuring, rounding, finding, asking, warming: Seconds of each.
        lost: The share of pictures that a variant gets wrong, by name.
        kinds: Names of the candidates.
        kill_at: Number of the moment at which the process ends; None: never.
    """

    measuring: float = 6.0
    rounding: float = 4.0
    finding: float = 20.0
    asking: float = 10.0
    warming: float = 1.0
    lost: Callable[[str], float] = lambda _: 0.0
    kinds: tuple[str, ...] = ("a", "b", "c")
    kill_at: int | None = None
    now: float = 0.0
    moments: int = 0
    told: list[str] = field(default_factory=list)
    planned: list[tuple[str, float, float]] = field(default_factory=list)
    trained_until: float = 0.0
    middle: dict[str, int] = field(default_factory=dict)  # the moment in the middle of a lesson, by its name

    def spend(self, seconds: float = 0.0) -> None:
        self.moments += 1
        if self.moments == self.kill_at:
            self.now += seconds / 2
            raise Killed
        self.now += seconds

    def work(self, name: str, seconds: float) -> None:
        self.told.append(name)
        self.spend(seconds)


class Network(str):
    """A network that is nothing but its name, and takes pictures of one pixel."""

    __slots__ = ()
    preprocess = SimpleNamespace(size=1)


class Shop(Workshop):
    """A workshop whose hands are replaced; its clock, its steps and its files are the real ones."""

    world: World

    def measured(self, name, path, *, ways, started):
        self.world.work(name, self.world.measuring)
        answers = np.zeros(PICTURES, np.int64)
        answers[: round(self.world.lost(name) * PICTURES)] = 1
        speed = Speed("onnxruntime", "fp32", 1, 1e-3, 2e-3, None, None, 1.0, None, None, True, 30)
        bundle = None if path == self.original else path.relative_to(self.folder).as_posix()
        found = Variant(name, (), bundle, 10, 100, 1000, answers, speed)
        place = self.place(name) / "variant.json"
        files.write_json(place, {**asdict(found), "answers": answers.tolist()})
        return [place.relative_to(self.folder).as_posix()]

    def sealed(self, recognizer, steps, path, *, inherits=True):
        files.write_bytes(path, b"sealed")
        return True

    def lowered(self, source, lowering, path):
        files.write_bytes(path, b"lowered")

    def model(self, name):
        return Network(name)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Search in a folder until the end, or until the world ends the process; return the names."""
    inside: list[Shop] = []
    write = files.write_bytes

    def one() -> World:
        return inside[-1].world

    def written(path, data):
        one().spend()
        write(path, data)

    def bundle_of(path):
        model = SimpleNamespace(precision="fp32")
        told = {"digest": path.as_posix(), "model": model, "preprocess": Network.preprocess}
        return SimpleNamespace(model=b"", manifest=SimpleNamespace(**told))

    def rounded(model, shown, name, *, progress):
        one().spend(one().rounding)
        return Lowering(b"", "int8", (name,))

    def asked(teacher, examples, **_):
        one().spend(one().asking * len(examples) / PICTURES)
        return np.zeros(1)

    def plan_lesson(student, guide, examples, schedule, *, teaching):
        shop = inside[-1]
        one().planned.append((str(student), schedule.seconds, shop.left()))
        one().spend(one().warming)
        given = {"model": "nano", "arguments": {}, "images": len(examples), "batch_size": 1, "threads": 1}
        rates = {"learning_rate": 1.0, "weight_decay": 0.0, "label_smoothing": 0.0, "ema_share": 0.1}
        more = {"augmentation": {}, "precision": "fp32", "seed": schedule.seed}
        step = schedule.seconds / TICKS
        return Lesson(Plan(**given, **rates, **more, steps=TICKS, step_seconds=step))

    def distill(student, guide, examples, lesson, *, checkpoints, progress):
        saved = checkpoints / "step"
        first = int(saved.read_text()) if saved.is_file() else 0
        for step in range(first, TICKS):
            if step == TICKS // 2:
                one().middle[checkpoints.parent.name] = one().moments + 1
            one().spend(lesson.plan.step_seconds)
            progress("train", step + 1, TICKS)
            checkpoints.mkdir(exist_ok=True)
            saved.write_text(str(step + 1))
        one().trained_until = one().now
        return student

    def save(recognizer, folder, **_):
        files.make_folder(folder)
        for name in ("weights.safetensors", "structure.json"):
            files.write_bytes(folder / name, b"saved")

    def screened(shop, original, *, most):
        def find():
            one().work("candidates", one().finding)
            return []

        shop.carry_out("candidates", {}, find)
        return [
            Candidate(kind, (kind,), partial(Network, kind), 10, 10, 1.0, "nano", inherits=True)
            for kind in one().kinds[:most]
        ]

    clock = SimpleNamespace(monotonic=lambda: one().now if inside else 0.0)
    for module in (lessons, searching, workshops):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(files, "write_bytes", written)
    monkeypatch.setattr(files.os, "fsync", lambda _: None)
    monkeypatch.setattr(workshops.archive, "read", bundle_of)
    monkeypatch.setattr(searching, "rounded", rounded)
    monkeypatch.setattr(searching, "screened", screened)
    monkeypatch.setattr(lessons, "asked", asked)
    monkeypatch.setattr(lessons, "tensor_bytes", lambda _: b"answers")
    monkeypatch.setattr(lessons, "read_tensors", lambda _: {"logits": None})
    monkeypatch.setattr(lessons, "plan_lesson", plan_lesson)
    monkeypatch.setattr(lessons, "distill", distill)
    monkeypatch.setattr(lessons.recognizers, "save", save)
    monkeypatch.setattr(lessons.recognizers, "load", lambda folder: Network(folder.parent.name))
    pictures = np.zeros((PICTURES, 1, 1, 1), np.uint8)
    labels = np.zeros(PICTURES, np.int64)
    roles = Roles(
        pictures,
        Pictures.of(labels, labelled=True),
        learning=Examples(pictures, labels, np.arange(PICTURES)),
    )
    teacher = SimpleNamespace(architecture="nano", preprocess=Network.preprocess)

    def begin(world: World, seconds: float, *, folder=tmp_path / "search", train=True) -> list[str]:
        folder.mkdir(exist_ok=True)
        Shop.world = world
        inside.append(SimpleNamespace(world=world))  # the clock is asked while the workshop is opened
        budget = Budget(drop=0.1, seconds=seconds)
        inside.append(Shop(folder, folder / "original.foveal", roles, budget, ways=[WAY]))
        learning = Learning(teacher, {"flip": 0.5}, batch_size=1, precision="fp32", seed=0)
        return [one.name for one in search(inside[-1], learning if train else None)]

    return begin


def badly(*bad: str) -> Callable[[str], float]:
    """Return what is lost where the integers of these variants lose more than half of the limit."""
    return lambda name: 0.08 if name in {f"{one}-int8" for one in bad} else 0.0


EVERYTHING = badly("original", "a-short", "a-long", "b-short", "c-short")


def seconds_of(world: World) -> list[float]:
    return [seconds for _, seconds, _ in world.planned]


class TestShares:
    def test_every_stage_comes_in_its_order_and_gets_its_share(self, run) -> None:
        world = World(lost=EVERYTHING)

        names = run(world, 600.0)

        shorts = [name for kind in "abc" for name in (f"{kind}-short", f"{kind}-short-int8")]
        lessons_of_a = ["a-long", "a-long-int8", "a-rounding", "a-rounding-int8"]
        first = ["original", "original-int8", "original-rounding", "original-rounding-int8"]
        assert names == [*first, *shorts, *lessons_of_a]
        order = ["original", "original-engine", *first[1:], "candidates", *shorts, *lessons_of_a]
        assert world.told == order
        rounding, *short, long, last = world.planned
        assert rounding[1] == pytest.approx(ROUNDING * 600)
        assert [seconds for _, seconds, _ in short] == pytest.approx([SHORT * 600] * 3)
        assert long[1] == pytest.approx(long[2] - (CERTIFY + ROUNDING) * 600)
        assert last[1] <= ROUNDING * 600
        assert last[1] == pytest.approx(min(ROUNDING * 600, last[2] - CERTIFY * 600))

    def test_nothing_is_kept_back_for_rounding_that_costs_nothing(self, run) -> None:
        world = World()

        run(world, 600.0)

        *short, long = world.planned
        assert [seconds for _, seconds, _ in short] == pytest.approx([SHORT * 600] * 3)
        assert long[1] == pytest.approx(long[2] - CERTIFY * 600)

    def test_without_learning_no_time_is_spent_on_it(self, run) -> None:
        world = World(lost=EVERYTHING)

        assert run(world, 600.0, train=False) == ["original", "original-int8"]
        assert world.planned == []

    @pytest.mark.parametrize("seed", range(60))
    def test_whatever_work_takes_no_more_is_planned_than_there_is(self, run, seed) -> None:
        rng = stream(seed, "world")
        budget = float(np.exp(rng.uniform(np.log(5), np.log(5000))))
        costs = dict(zip(("measuring", "rounding", "finding", "asking"), rng.exponential(8, 4), strict=True))
        losing = {f"{kind}-{stage}": rng.random() < 0.5 for kind in "abc" for stage in ("short", "long")}
        bad = [name for name, loses in losing.items() if loses] + ["original"] * (seed % 2)
        world = World(**costs, lost=badly(*bad), kinds=("a", "b", "c")[: seed % 4], warming=0.5)

        run(world, budget)

        for _, seconds, left in world.planned:
            assert LEAST <= seconds <= left - CERTIFY * budget + 1e-9
        assert sum(seconds_of(world)) <= (1 - CERTIFY) * budget
        assert world.trained_until <= (1 - CERTIFY) * budget + world.warming + 1e-6


class TestNoTimeLeft:
    def test_what_needs_no_lesson_is_measured_and_nothing_is_prepared_for_lessons(
        self, run, tmp_path
    ) -> None:
        world = World(lost=EVERYTHING)

        names = run(world, 10.0)

        assert names == ["original", "original-int8"]
        assert world.told == ["original", "original-engine", "original-int8"]
        assert not (tmp_path / "search" / "teacher.safetensors").exists()

    def test_no_candidate_is_looked_for_that_could_get_no_lesson(self, run) -> None:
        """A twentieth of 32 s is too short for a lesson, though 5 s are left for lessons."""
        world = World(asking=1.0)

        run(world, 32.0)

        assert world.told == ["original", "original-engine", "original-int8"]
        assert world.planned == []

    def test_candidates_that_no_time_is_left_for_are_not_begun(self, run) -> None:
        """Before the first are left 88 - 22 - 18.5 s; each takes 5 of lesson, 1 of warming, 16 to measure."""
        world = World(finding=18.5, asking=0.0)

        names = run(world, 100.0)

        shorts = [name for name in names if name.endswith("-short")]
        assert shorts == ["a-short", "b-short"]
        *_, long = world.planned
        assert long[:2] == ("a-short", pytest.approx(3.5))

    def test_a_teacher_that_would_take_too_long_is_asked_in_every_step_instead(self, run, tmp_path) -> None:
        slow, quick = World(asking=70.0), World(asking=50.0)

        run(slow, 600.0, folder=tmp_path / "slow")
        run(quick, 600.0, folder=tmp_path / "quick")

        assert not (tmp_path / "slow" / "teacher.safetensors").exists()
        assert (tmp_path / "quick" / "teacher.safetensors").is_file()
        assert slow.planned[0][2] > quick.planned[0][2] + 40, "asking a few cost next to nothing"


class TestKilled:
    def kept(self, folder):
        """Return the plans, and the finished variants with the time of writing."""
        done = json.loads((folder / "steps.json").read_text()) if (folder / "steps.json").is_file() else {}
        plans = {path: path.read_bytes() for path in folder.glob("variants/*/plan.json")}
        made = [folder / name for step in done.values() for name in step["made"]]
        return plans, {path: path.stat().st_mtime_ns for path in made}, set(done)

    @pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
    def test_at_any_moment_the_same_line_ends_as_if_nothing_had_been(self, run, tmp_path, stride) -> None:
        whole = World(lost=EVERYTHING)
        names = run(whole, 600.0, folder=tmp_path / "whole")
        longest = max(seconds_of(whole)) / TICKS
        assert whole.moments > 100

        for kill_at in range(1, whole.moments + 1, stride):
            folder = tmp_path / f"killed-{kill_at}"
            first = World(lost=EVERYTHING, kill_at=kill_at)
            with pytest.raises(Killed):
                run(first, 600.0, folder=folder)
            plans, made, done = self.kept(folder)

            second = World(lost=EVERYTHING, now=first.now + 1e6)  # whatever time it was dead
            assert run(second, 600.0, folder=folder) == names, kill_at

            assert {path: path.read_bytes() for path in plans} == plans
            assert {path: path.stat().st_mtime_ns for path in made} == made
            assert not done & set(second.told)
            planned = [json.loads(path.read_text()) for path in folder.glob("variants/*/plan.json")]
            assert len(planned) == len(whole.planned)
            total = sum(plan["steps"] * plan["step_seconds"] for plan in planned)
            assert total <= (1 - CERTIFY) * 600 + 1e-6
            for _, seconds, left in second.planned:
                assert LEAST <= seconds <= left - CERTIFY * 600 + 1e-9
            # What a kill gives again is the work on one step, or of a lesson what was not noted.
            again = max(whole.finding, whole.measuring + whole.rounding, longest, 5.0)
            spent = json.loads((folder / "clock.json").read_text())["used"]
            assert spent >= first.now + second.now - (first.now + 1e6) - again - 1e-6

    @pytest.mark.parametrize("lesson", ["original-rounding", "b-short", "a-long", "a-rounding"])
    def test_a_lesson_that_was_begun_is_finished_whatever_the_clock_says_and_no_other_begins(
        self, run, tmp_path, lesson
    ) -> None:
        folder, whole = tmp_path / "search", World(lost=EVERYTHING)
        run(whole, 600.0, folder=tmp_path / "whole")
        with pytest.raises(Killed):
            run(World(lost=EVERYTHING, kill_at=whole.middle[lesson]), 600.0)
        plans, _, done = self.kept(folder)
        (folder / "clock.json").write_text(json.dumps({"used": 1e9}))

        second = World(lost=EVERYTHING)
        names = run(second, 600.0, folder=folder)

        assert lesson in names
        assert f"{lesson}-int8" in names
        assert second.planned == []
        assert set(self.kept(folder)[0]) == set(plans)
        assert "candidates" in done or "candidates" not in second.told

    def test_what_had_no_time_before_a_kill_has_none_after_it(self, run, tmp_path) -> None:
        """The third candidate misses its lesson by a blink; the long one is begun, and killed at once."""

        def world(**more):
            return World(finding=17.003, asking=0.0, **more)

        whole = world()
        names = run(whole, 100.0, folder=tmp_path / "whole")
        assert names[-4:] == ["b-short", "b-short-int8", "a-long", "a-long-int8"]
        for kill_at in range(whole.middle["a-long"] - TICKS, whole.moments + 1, 2):
            folder = tmp_path / f"killed-{kill_at}"
            with pytest.raises(Killed):
                run(world(kill_at=kill_at), 100.0, folder=folder)
            begun = {path.parent.name for path in folder.glob("variants/*/plan.json")}

            found = run(world(), 100.0, folder=folder)

            if "a-long" in begun:
                assert found == names
            assert begun <= set(found)

    def test_what_failed_in_the_end_is_not_taken_for_what_an_earlier_attempt_wrote(
        self, run, tmp_path, monkeypatch
    ) -> None:
        """It was measured, and killed before that became a step; then its file does not run."""
        run(World(), 600.0, train=False)
        folder = tmp_path / "search"
        steps = json.loads((folder / "steps.json").read_text())
        assert steps.pop("original-int8")
        (folder / "steps.json").write_text(json.dumps(steps))

        def fails(*_, **__):
            raise DataError("it does not run", code="x")

        with monkeypatch.context() as patch:
            patch.setattr(searching, "rounded", fails)
            assert run(World(), 600.0, train=False) == ["original"]
