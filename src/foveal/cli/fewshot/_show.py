"""What a person is told of few-shot measurements."""

from collections.abc import Iterator
from typing import Any

from foveal.report import words


def measured_lines(found: dict[str, Any], *, name: str) -> Iterator[tuple[str, str]]:
    """Yield title and text of each line about a measurement; the first has no title.

    Args:
        found: `metrics` of a `foveal.fewshot/1` document.
        name: What the method is called.
    """
    steps = f", {found['inner_steps']} inner steps" if found["inner_steps"] else ""
    yield (
        "",
        f"{found['way']} classes, {found['shot']} picture(s) of each, {found['query']} asked about; "
        f"{found['episodes']} tasks from {found['classes']} classes never seen{steps}",
    )
    yield name, words.measured(found["accuracy"])
    if found["transductive"] is not None:
        yield "transductive", f"{words.measured(found['transductive'])}: all queries of a task seen at once"
    if found["before_adaptation"] is not None:
        yield "unadapted", words.measured(found["before_adaptation"])
    beside = found["baselines"]
    yield "untrained", words.measured(beside["untrained"])
    yield "pixels", f"nearest {words.measured(beside['pixels_nearest'])}"
    yield "", f"prototypes {words.measured(beside['pixels_prototypes'])}"
