"""The only training loop.

Step by step, never epoch by epoch; learning rate, order and augmentation are pure functions of the
step. So a checkpoint is weights, momentum, averages and a number, and a run that was killed ends in
the same bits as one that was not (same machine, threads and versions).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.core import progress as core
from foveal.core.errors import TemporaryError, UsageError
from foveal.core.random import seed_for, stream
from foveal.core.signals import heard
from foveal.train import checkpoint
from foveal.train.examples import Examples
from foveal.train.fit_plan import FitPlan
from foveal.train.memory import freed_memory_kept
from foveal.train.objective import Batch, Objective
from foveal.train.plan import Plan
from foveal.train.state import State

_CHECKPOINT_SECONDS = 20.0  # so that a kill repeats less than 30 s of work


Watch = Callable[[int], None]


def unwatched(step: int) -> None:
    """Look at nothing."""


@dataclass(frozen=True)
class Fitted:
    """How a training ended.

    Attributes:
        weights: The averaged weights of the deployable network; what ships.
        history: Rows `step seen epoch loss accuracy learning_rate` of the learning curve; of a baseline a row
            per setting that was tried.
        seconds: Training time from the first step on, without the pauses.
        seconds_now: Of it, since training was started or resumed last.
        waiting_share: Share of `seconds_now` spent fetching pictures.
        resumed_from: Step at which training was started or resumed last.
        passed_over: Damaged checkpoints that were not used.
    """

    weights: dict[str, Tensor] = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    seconds: float
    seconds_now: float
    waiting_share: float
    resumed_from: int
    passed_over: tuple[str, ...] = ()


def fit(
    objective: Objective,
    examples: Examples,
    plan: Plan,
    *,
    checkpoints: Path | None = None,
    watch: Watch = unwatched,
    progress: core.Progress = core.silent,
) -> Fitted:
    """Train `objective` as planned; its parameters end as the last step left them.

    Where `torch.distributed` is set up, all its ranks call this with the same plan and train together
    (`train/ranks.py`); the first one saves.

    Args:
        objective: What is learned.
        examples: As many as the plan says.
        plan: All choices.
        checkpoints: Folder to save to and to go on from; None trains without.
        watch: Called with the number of steps that are done, after each and before it is saved; whatever it
            looks at, it leaves the objective as it is, and takes no number from torch's own generator.
        progress: Told about every step.

    Raises:
        UsageError: The plan is for another number of images.
        DataError: The loss is no longer finite.
        TemporaryError: Another rank was lost or stopped.
        KeyboardInterrupt: Ctrl-C; the state after the last whole step is saved first.
    """
    if len(examples) != plan.images:
        raise UsageError(f"the plan is for {plan.images} images; got {len(examples)}")
    state = State(objective, plan)
    team = state.team
    saved = _restored(state, checkpoints)
    first, waited, worked = state.step, 0.0, 0.0
    with settings(plan), _stop_between_steps() as stop_wanted:
        objective.train()
        last_save = time.monotonic()
        while state.step < plan.steps:
            before = time.monotonic()
            batch = drawn(objective, examples, plan, state.step)
            waited += time.monotonic() - before
            _seed_layers(plan.seed, state.step, team.rank)
            state.advance(batch)
            now = time.monotonic()
            state.seconds += now - before
            worked += now - before
            watch(state.step)
            progress("train", state.step, plan.steps, state.note())
            finished = team.anyone(stop_wanted()) or state.step == plan.steps
            if checkpoints and team.first and (finished or now - last_save > _CHECKPOINT_SECONDS):
                state.save(checkpoints)
                last_save = time.monotonic()
            if finished:
                break
    _check_whole(state)
    return Fitted(
        weights=state.average.weights(),
        history=state.history,
        seconds=state.seconds,
        seconds_now=worked,
        waiting_share=waited / max(worked, 1e-9),
        resumed_from=first,
        passed_over=saved.passed_over if saved else (),
    )


def _restored(state: State, checkpoints: Path | None) -> checkpoint.Checkpoint | None:
    """Let a state become what was saved last, and return that; None: nothing was."""
    saved = checkpoint.latest(checkpoints, plan=state.plan.digest) if checkpoints else None
    if saved is not None:
        state.restore(saved)
    return saved


def _seed_layers(seed: int, step: int, rank: int) -> None:
    """Seed what has no generator of its own, as dropout; each rank drops other things."""
    purpose = ("layers", step, rank) if rank else ("layers", step)
    torch.manual_seed(seed_for(seed, *purpose))


def _check_whole(state: State) -> None:
    """Refuse a training that ended before its last step without a signal of its own."""
    if state.step < state.plan.steps:
        raise TemporaryError(
            "another rank was stopped", code="rank_lost", hint="foveal train DATA --resume RUN goes on"
        )


def drawn(objective: Objective, examples: Examples, plan: Plan, step: int) -> Batch:
    """Return what one step of an objective sees: what it draws itself, or the next pictures of a pass."""
    return objective.draw(examples, plan, step) or fetch(examples, plan, step)


def fetch(examples: Examples, plan: Plan, step: int) -> Batch:
    """Return what one step sees: a pure function of plan and step.

    The passes over the data are laid end to end, so that every picture is seen equally often however
    the batch size divides them.
    """
    passes, rows = _drawn(plan.seed, "order", step, plan.batch_size, len(examples))
    stored = examples.indices[rows]
    unlabelled = None
    if plan.unlabelled and examples.pool is not None:
        pool = examples.pool
        _, more = _drawn(plan.seed, "unlabelled", step, plan.unlabelled, len(pool.indices))
        unlabelled = torch.from_numpy(pool.images[pool.indices[more]])
    generator = torch.Generator().manual_seed(seed_for(plan.seed, "augment", step))
    return Batch(
        images=torch.from_numpy(examples.images[stored]),
        labels=torch.from_numpy(examples.labels[stored]),
        rows=torch.from_numpy(rows),
        passes=torch.from_numpy(passes),
        share=step / plan.steps,
        generator=generator,
        unlabelled=unlabelled,
    )


def _drawn(
    seed: int, purpose: str, step: int, at_once: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each picture of a step, in which pass over `count` it is seen, and which one it is."""
    seen = np.arange(step * at_once, (step + 1) * at_once)
    passes, places = np.divmod(seen, count)
    rows = np.empty_like(seen)
    for number in np.unique(passes):
        inside = passes == number
        rows[inside] = _order(seed, purpose, int(number), count)[places[inside]]
    return passes, rows


@lru_cache(maxsize=4)  # one step may see the end of a pass and the start of the next, with and without labels
def _order(seed: int, purpose: str, number: int, count: int) -> NDArray[np.int64]:
    return stream(seed, purpose, number).permutation(count)


@contextmanager
def settings(plan: Plan | FitPlan) -> Iterator[None]:
    """Set threads and memory for training; put them, and the global random state, back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        with torch.random.fork_rng(devices=[]), freed_memory_kept():
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _stop_between_steps() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C and SIGTERM back until a step is whole; a second one is not held back.

    What the process ignores stays ignored. After the block the signal goes its usual way; if whoever
    handles it returns, training has still not ended, so KeyboardInterrupt is raised.
    """
    arrived: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = {number: signal.getsignal(number) for number in heard()}

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(signal.Signals(number))
        signal.signal(number, previous[arrived[-1]])

    for number in previous:
        signal.signal(number, note)
    try:
        yield lambda: bool(arrived)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if arrived:
        signal.raise_signal(arrived[0])
        raise KeyboardInterrupt
