"""Time a few steps of a plan, to know what a budget buys; nothing of it stays."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from foveal.train.examples import Examples
from foveal.train.loop import drawn, settings
from foveal.train.objective import Objective
from foveal.train.plan import Plan
from foveal.train.state import State

_LONG = 1000


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


def warm_up(make: Callable[[Plan], Objective], examples: Examples, plan: Plan, *, steps: int) -> Speed:
    """Run the first steps of a plan on a throw-away objective.

    The first step is not timed: it chooses kernels. Since the objective is thrown away and all
    randomness follows from the plan, training afterwards is as if this had never been.

    Args:
        make: Builds the objective as the plan wants it.
        examples: As many as the plan says.
        plan: Its precision, batch size and threads are what is measured.
        steps: Timed steps, ≥ 1.
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
    seen = [statistics.median(times[1:]), statistics.median(processor[1:]), statistics.fmean(losses[1:])]
    return Speed(*state.team.told(seen))
