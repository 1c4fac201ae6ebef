"""Options of the commands that train and measure inspections."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foveal.core.errors import UsageError
from foveal.core.text import visible

if TYPE_CHECKING:
    from foveal.flows.inspect_evaluate import Question
    from foveal.tasks.judging import Costs

Good = Annotated[
    str | None,
    typer.Option("--good", help="Folders of good parts, such as ok,plain; good, ok, free, normal are known."),
]
CostMiss = Annotated[
    float | None,
    typer.Option("--cost-miss", min=0, help="Of a defective part that is accepted, in any unit."),
]
CostFalseCall = Annotated[
    float | None, typer.Option("--cost-false-call", min=0, help="Of a good part that is rejected.")
]
CostReview = Annotated[
    float | None, typer.Option("--cost-review", min=0, help="Of a part that somebody looks at.")
]
DefectRate = Annotated[
    float | None,
    typer.Option("--defect-rate", min=0, max=1, help="Share of parts that are defective where it will run."),
]
HumanMiss = Annotated[
    float | None,
    typer.Option("--human-miss", min=0, max=1, help="Share of defective parts that people pass."),
]
HumanFalseCall = Annotated[
    float | None,
    typer.Option("--human-false-call", min=0, max=1, help="Share of good parts that people reject."),
]
HumanParts = Annotated[
    int | None, typer.Option("--human-parts", min=1, help="How many parts these shares rest on.")
]

MaxMiss = Annotated[
    float,
    typer.Option("--max-miss", help="Share of defective parts that may be accepted, to be proven."),
]
MaxFalseCall = Annotated[
    float,
    typer.Option("--max-false-call", help="Share of good parts that may be rejected, to be proven."),
]
Confidence = Annotated[float, typer.Option("--confidence", help="Probability that each promise holds.")]
Choose = Annotated[
    bool,
    typer.Option(
        "--choose", help="Accept without a promise where too few defective parts are there for one."
    ),
]


def good_of(text: str | None) -> tuple[str, ...]:
    """Return the folders, or classes, that a list with commas names; () where nobody gave one."""
    if text is None:
        return ()
    names = tuple(name for name in map(str.strip, text.split(",")) if name)
    if not names:
        raise UsageError("--good names folders, such as ok,plain")
    return names


def costs_of(miss: float | None, false_call: float | None, review: float | None) -> "Costs | None":
    """Return the costs of decisions; None where none was given.

    Raises:
        UsageError: Some were given, and not all.
    """
    from foveal.tasks.judging import Costs

    if miss is None and false_call is None and review is None:
        return None
    if miss is None or false_call is None or review is None:
        raise UsageError("costs are three: --cost-miss, --cost-false-call and --cost-review")
    return Costs(miss=miss, false_call=false_call, review=review)


def question_of(
    costs: "Costs | None",
    defect_rate: float | None,
    people: tuple[float | None, float | None, int | None],
    group: str | None,
) -> "Question":
    """Return what is asked of parts beside how well defects are found.

    Args:
        costs: Of decisions.
        defect_rate: Share of parts that are defective.
        people: Misses and false calls of people, and how many parts that rests on.
        group: What must not be torn apart.
    """
    from foveal.flows.inspect_evaluate import People, Question

    return Question(costs, defect_rate, People(*people), group)


def show_rule(console: Console, document: dict[str, Any]) -> None:
    """Print what a rule promises, and what it does not."""

    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)

    rule = document["rule"]
    for name, promise, means in (
        ("accept", rule["miss"], "of defective parts are accepted"),
        ("reject", rule["false_call"], "of good parts are rejected"),
    ):
        if promise is not None:
            line(
                name, f"at most {promise['rate']:.1%} {means}: proven with {promise['n']} {promise['unit']}s"
            )
    for note in document["notes"]:
        line("not proven", note)
