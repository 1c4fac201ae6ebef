"""The queue and the thread that computes: what is let in, what is skipped, what is done together."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.bundle.session import Answers
from foveal.serve.lane import Lane
from foveal.serve.metrics import Metrics
from foveal.serve.problems import HttpError
from foveal.serve.served import Served, served
from foveal.serve.service import plan
from foveal.serve.settings import Settings


@dataclass
class Work:
    """Pictures, all alike; may wait for a gate before the first, or each further one, is read, or fail."""

    image: np.ndarray
    gate: threading.Event | None = None
    error: Exception | None = None
    began: threading.Event = field(default_factory=threading.Event)
    further: list[threading.Event] = field(default_factory=list)
    read_: int = 0

    def read(self, check: Callable[[], None]) -> list[np.ndarray]:
        self.began.set()
        if self.gate is not None:
            assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        self.read_ = 1
        for gate in self.further:
            assert gate.wait(60)
            check()
            self.read_ += 1
        return [self.image] * self.read_

    def write(self, answers: Answers | None) -> bytes:
        assert answers is not None
        return answers["probabilities"].tobytes()

    def after(self) -> None:
        pass


@dataclass
class Bench:
    """A lane with its model."""

    lane: Lane
    model: Served
    numbers: memoryview
    places: dict[str, Any]

    def do(self, work: Work, pictures: int = 1, gone: Callable[[], bool] = lambda: False) -> Any:
        return asyncio.ensure_future(self.lane.do(self.model, work, pictures=pictures, gone=gone))

    async def behind_the_first(self, works: list[Work]) -> list[Any]:
        """Return the answers, or errors, where all others come while the first is worked on; stop then."""
        first = works[0]
        first.gate = threading.Event()
        tasks = [self.do(first)]
        await asyncio.to_thread(first.began.wait, 60)
        tasks += [self.do(work) for work in works[1:]]
        await asyncio.sleep(0)
        first.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        self.lane.stop()
        return answers

    def runs(self) -> tuple[float, float]:
        """Return how many runs there were, and of how many pictures."""
        at = self.places["batch_size"][("colors",)]
        return sum(self.numbers[at + 1 : at + 9]), self.numbers[at]


@pytest.fixture
def bench(bundle: Path) -> Callable[..., Bench]:
    [model] = served([str(bundle)], max_batch=1)

    def make(*, batch: int = 1, verify: Callable[[], None] = lambda: None, **limits: Any) -> Bench:
        made = plan([model])
        numbers = memoryview(bytearray(8 * made.length)).cast("d")
        lane = Lane(Settings(**limits), Metrics(made, numbers), verify=verify)
        lane.start()
        return Bench(lane, replace(model, batch=batch), numbers, made.places)

    return make


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def test_waiting_pictures_run_together_and_each_gets_its_own_answer(bench) -> None:
    async def go() -> None:
        lane = bench(batch=4, max_latency=60.0)
        images = pictures(10)
        answers = await lane.behind_the_first([Work(image) for image in images])

        alone = [lane.model.predictor.run(image[None]).probabilities for image in images]
        for answer, expected in zip(answers, alone, strict=True):
            np.testing.assert_allclose(np.frombuffer(answer, np.float32), expected[0], atol=1e-6)
        assert lane.runs() == (4, 10), "one alone, then 4, 4 and 1"

    asyncio.run(go())


def test_a_batch_ends_where_its_first_picture_would_come_too_late(bench) -> None:
    async def go() -> None:
        lane = bench(batch=8, max_latency=1e-6)
        images = pictures(9)
        await lane.behind_the_first([Work(image) for image in images])
        assert lane.runs() == (9, 9)

    asyncio.run(go())


def test_one_bad_request_among_good_ones_harms_none(bench) -> None:
    async def go() -> None:
        lane = bench(batch=8, max_latency=60.0)
        images = pictures(6)
        errors = {2: HttpError("corrupt", "broken"), 4: ValueError("a bug")}
        answers = await lane.behind_the_first(
            [Work(image, error=errors.get(number)) for number, image in enumerate(images)]
        )

        assert {i: a for i, a in enumerate(answers) if isinstance(a, Exception)} == errors
        expected = lane.model.predictor.run(images[5][None]).probabilities[0]
        np.testing.assert_allclose(np.frombuffer(answers[5], np.float32), expected, atol=1e-6)

    asyncio.run(go())


@pytest.mark.parametrize(("asked", "let_in"), [([1] * 6, 3), ([2, 2], 1), ([5], 1)])
def test_a_queue_has_room_for_so_many_pictures_and_an_empty_one_for_any_request(bench, asked, let_in) -> None:
    async def go() -> None:
        lane = bench(queue=3)
        gate = threading.Event()
        [image] = pictures(1)
        tasks = [lane.do(Work(image, gate), pictures=count) for count in asked]
        await asyncio.sleep(0)
        assert lane.lane.pictures == sum(asked[:let_in])
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        lane.lane.stop()

        refused = [a for a in answers if isinstance(a, HttpError)]
        assert len(refused) == len(asked) - let_in
        assert {error.code for error in refused} <= {"overloaded"}
        assert lane.lane.pictures == 0

    asyncio.run(go())


def test_who_has_left_is_not_computed_and_leaves_no_trace_in_the_estimate(bench) -> None:
    async def go() -> None:
        lane = bench()
        [image] = pictures(1)
        with pytest.raises(HttpError) as caught:
            await lane.do(Work(image), gone=lambda: True)
        lane.lane.stop()
        assert caught.value.code == "client_gone"
        assert lane.runs() == (0, 0)
        assert lane.lane.pictures == 0

    asyncio.run(go())


def test_the_models_are_verified_now_and_then_also_while_nobody_asks(bench) -> None:
    async def go() -> None:
        verified = threading.Semaphore(0)
        lane = bench(verify=verified.release, golden_every=0.01)
        for _ in range(3):
            assert await asyncio.to_thread(verified.acquire, timeout=60)
        lane.lane.stop()

    asyncio.run(go())


def test_what_was_refused_for_its_time_is_not_computed_though_its_client_stays(bench) -> None:
    async def go() -> None:
        lane = bench(timeout=0.05)
        gate, images = threading.Event(), pictures(2)
        works = [Work(images[0], gate), Work(images[1])]
        answers = await asyncio.gather(*[lane.do(work) for work in works], return_exceptions=True)
        gate.set()
        while lane.lane.pictures:
            await asyncio.sleep(0.001)
        lane.lane.stop()

        assert [answer.code for answer in answers] == ["timed_out", "timed_out"]
        assert not works[1].began.is_set()

    asyncio.run(go())


@pytest.mark.parametrize("left", [True, False])
def test_of_several_pictures_none_further_is_read_once_nobody_waits(bench, left: bool) -> None:
    async def go() -> None:
        lane = bench(timeout=60.0 if left else 0.05)
        [image] = pictures(1)
        gates, away = [threading.Event(), threading.Event()], threading.Event()
        work = Work(image, further=gates)
        asked = lane.do(work, pictures=3, gone=away.is_set)
        await asyncio.to_thread(work.began.wait, 60)
        if left:
            away.set()
        else:
            await asyncio.wait([asked])
        for gate in gates:
            gate.set()
        [answer] = await asyncio.gather(asked, return_exceptions=True)
        while lane.lane.pictures:
            await asyncio.sleep(0.001)
        lane.lane.stop()

        assert answer.code == ("client_gone" if left else "timed_out")
        assert work.read_ == 1
        assert lane.runs() == (0, 0)

    asyncio.run(go())


@pytest.mark.parametrize("count", [1, 2])
def test_each_look_whether_somebody_waits_is_a_sign_of_life(bench, count: int) -> None:
    async def go() -> None:
        lane = bench(timeout=60.0)
        work = Work(pictures(1)[0], further=[threading.Event(), threading.Event()])
        asked = lane.do(work, pictures=count)
        await asyncio.to_thread(work.began.wait, 60)
        await asyncio.sleep(0.3)
        before = lane.lane.busy_seconds
        work.further[0].set()
        while work.read_ < 2:
            await asyncio.sleep(0.001)
        after = lane.lane.busy_seconds
        work.further[1].set()
        await asked
        lane.lane.stop()

        assert after < 0.2 < 0.3 <= before

    asyncio.run(go())


def test_single_pictures_are_answered_between_those_of_a_large_request(bench) -> None:
    async def go() -> None:
        lane = bench(batch=4, max_latency=60.0)
        images = pictures(4)
        gates = [threading.Event(), threading.Event()]
        large = Work(images[0], further=gates)
        asked = lane.do(large, pictures=3)
        await asyncio.to_thread(large.began.wait, 60)
        others = [lane.do(Work(image)) for image in images[1:]]
        await asyncio.sleep(0)
        gates[0].set()
        answers = await asyncio.gather(*others)
        assert not asked.done()
        gates[1].set()
        last = await asked
        lane.lane.stop()

        alone = [lane.model.predictor.run(image[None]).probabilities[0] for image in images]
        for answer, expected in zip(answers, alone[1:], strict=True):
            np.testing.assert_allclose(np.frombuffer(answer, np.float32), expected, atol=1e-6)
        np.testing.assert_allclose(
            np.frombuffer(last, np.float32).reshape(3, -1), np.stack([alone[0]] * 3), atol=1e-6
        )
        assert lane.runs() == (2, 6), "the three that waited, then the large request alone"
        assert lane.lane.pictures == 0

    asyncio.run(go())


def test_a_single_picture_does_not_wait_for_the_large_requests_before_it(bench) -> None:
    async def go() -> None:
        lane = bench()
        image, other = pictures(2)
        gate = threading.Event()
        first, second = Work(image, further=[gate, gate]), Work(image, further=[threading.Event()])
        large = [lane.do(first, pictures=3)]
        await asyncio.to_thread(first.began.wait, 60)
        large.append(lane.do(second, pictures=2))
        single = lane.do(Work(other))
        await asyncio.sleep(0)
        gate.set()
        await single
        await large[0]
        assert not large[1].done(), "among themselves they keep their order"
        second.further[0].set()
        await large[1]
        lane.lane.stop()
        assert lane.lane.pictures == 0

    asyncio.run(go())


def test_what_was_refused_for_its_time_leaves_queue_and_memory_before_it_is_reached(bench) -> None:
    async def go() -> None:
        lane = bench(timeout=0.05)
        image, gate = pictures(1)[0], threading.Event()
        first = Work(image, gate)
        in_work = lane.do(first)
        await asyncio.to_thread(first.began.wait, 60)
        works = [Work(image), Work(image)]
        held = [weakref.ref(work) for work in works]
        waiting = [lane.do(work, pictures=count) for work, count in zip(works, (1, 3), strict=True)]
        works.clear()
        codes = [answer.code for answer in await asyncio.gather(*waiting, return_exceptions=True)]
        waiting.clear()
        await asyncio.sleep(0)
        assert codes == ["timed_out", "timed_out"]
        assert lane.lane.pictures == 1
        assert [work() for work in held] == [None, None]
        gate.set()
        await asyncio.gather(in_work, return_exceptions=True)
        lane.lane.stop()

    gc.disable()  # a cycle would keep a body for as long as nothing else is made
    try:
        asyncio.run(go())
    finally:
        gc.enable()


def test_who_was_read_before_a_large_picture_does_not_wait_for_those_behind_it(bench) -> None:
    async def go() -> None:
        latency = 0.3
        lane = bench(batch=8, max_latency=latency)
        lane.lane.stop()
        images = pictures(3)
        works = [Work(images[0]), *(Work(image, threading.Event()) for image in images[1:])]
        tasks = [lane.do(work) for work in works]
        await asyncio.sleep(0)
        lane.lane.start()  # all three are there: they are taken together
        await asyncio.to_thread(works[1].began.wait, 60)
        await asyncio.sleep(latency)  # so large is the second one
        works[1].gate.set()
        await asyncio.gather(*tasks[:2])
        assert not tasks[2].done()
        works[2].gate.set()
        await tasks[2]
        lane.lane.stop()
        assert lane.runs() == (2, 3)

    asyncio.run(go())
