"""Time a few steps of a plan, to know what a budget buys; nothing of it stays."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from foveal.train.examples import Examples
from foveal.train.loop import drawn, settings
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.state import State

_LONG = 1000
_KERNELS = 2.0  # processor seconds that a first step may take on top: it chooses and compiles kernels


@dataclass(frozen=True)
class Speed:
    """What the warm-up saw.

    Attributes:
        step_seconds: Median time of a step.
        processor_seconds: Median processor time of a step, of all threads together. With one thread it hardly
            depends on what else the machine does; with several, waiting for each other counts as well.
        loss: Mean training loss over the steps, to compare precisions by.
    """

    step_seconds: float
    processor_seconds: float
    loss: float


def warm_up(
    make: Callable[[Plan], Objective],
    examples: Examples,
    plan: Plan,
    *,
    steps: int,
    at_most: float = math.inf,
) -> Speed:
    """Run the first steps of a plan on a throw-away objective.

    The first step is not timed, for it chooses kernels, unless it is the only one. Since the objective is
    thrown away and all randomness follows from the plan, training afterwards is as if this had never been.

    Args:
        make: Builds the objective as the plan wants it.
        examples: As many as the plan says.
        plan: Its precision, batch size and threads are what is measured.
        steps: Timed steps, ≥ 1.
        at_most: Processor seconds of a step above which nobody wants to know more: none follows where the
            first one takes 2 seconds more than that, or the next two both take longer.
    """
    times, processor, losses = [], [], []
    plan = plan.model_copy(
        update={"steps": max(plan.steps, _LONG)}
    )  # its rates are those of a long run's start
    with settings(plan):
        objective = make(plan)
        objective.train()
        state = State(objective, plan)
        for step in range(steps + 1):
            started, worked = time.perf_counter(), time.process_time()
            losses.append(state.advance(drawn(objective, examples, plan, step)))
            times.append(time.perf_counter() - started)
            processor.append(time.process_time() - worked)
            if state.team.told(_too_slow(processor, at_most)):
                break  # all ranks at the same step
    timed = slice(min(1, len(times) - 1), None)
    seen = [statistics.median(times[timed]), statistics.median(processor[timed])]
    seen.append(statistics.fmean(losses[timed]))
    return Speed(*state.team.told(seen))


def _too_slow(seconds: Sequence[float], at_most: float) -> bool:
    """Return whether these steps say enough: a first one alone, or two more, of which one may be off."""
    first, *timed = seconds
    if not timed:
        return first > at_most + _KERNELS
    return len(timed) > 1 and min(timed) > at_most
