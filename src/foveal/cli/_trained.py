"""What a person is told when a training has ended."""

from typing import TYPE_CHECKING

from rich.console import Console

from foveal.cli._scenes import rows
from foveal.core import units
from foveal.core.task import SCENE_TASKS
from foveal.core.text import visible
from foveal.report import words

if TYPE_CHECKING:
    from foveal.flows.train import TrainResult


def show(console: Console, result: "TrainResult") -> None:
    """Print what was decided, what was measured, what it does not prove, and where everything lies."""
    document, evaluation = result.document, result.evaluation
    width = max(10, *(len(what) + 1 for what in document["plan"]["reasons"]))

    def line(label: str, text: object) -> None:
        console.print(f"{label:<{width}}{visible(str(text))}", markup=False)  # names are the user's

    took = units.show_seconds(document["train_seconds"])
    if document["epochs"] is not None:  # what is fitted in one go has no rate
        took += f": {document['epochs']:.3g} passes, {document['images_per_second']:.0f} images/s"
    whole = units.show_seconds(document["seconds"])
    line("trained", f"{document['model']} in {took}; with all before and after it {whole}")
    for name in document["damaged_checkpoints"]:
        line("damaged", f"checkpoint {name} could not be used; the one before it was")
    budget = document["budget"]
    if budget and not budget["kept"]:
        share = budget["overshoot_share"]
        line("late", f"{share:.0%} over the time given: the machine was busier than during the warm-up")
    for finding in document["findings"]:
        if finding["severity"] == "warning":
            line("data", finding["message"])
    for what, reason in document["plan"]["reasons"].items():
        line(what, reason)
    if evaluation is None:
        parity = document["parity"]
        difference, flips = parity["max_abs_difference"], parity["clear_flips"]
        line("gate", f"failed: the exported file differs from the network by {difference:.2g}")
        line("", f"and changes {flips} decisions; no bundle was written")
        line("report", result.report)
        return
    if document["task"] in SCENE_TASKS:
        for title, text in rows(evaluation["metrics"]):
            line(title, text)
        line("report", result.report)
        line("bundle", result.bundle)
        line("next", f"foveal predict {result.bundle} PICTURE --draw FOLDER")
        return
    line("test", words.measured(evaluation["metrics"]["accuracy"]))
    for what, why in document["baseline"].get("skipped", {}).items():
        line("baseline", f"{what} was not fitted: {why}")
    if beside := words.against_baseline(document["baseline"]):
        line("baseline", beside)
    if without := words.against_scratch(document["baseline"]):
        line("scratch", without)
    for say in (words.against_majority, words.calibration, words.abstention, words.prediction_sets):
        line("", say(evaluation))
    for label, sentences in (
        ("weak", words.weak_points(evaluation)),
        ("unproven", words.unproven(evaluation)),
    ):
        for number, sentence in enumerate(sentences):
            line("" if number else label, sentence)
    if document.get("suggested"):
        line("suggested", document["suggested"]["page"] or "nothing: all pictures there are known already")
    line("report", result.report)
    line("figures", result.run / "figures")
    line("bundle", result.bundle)
    line("next", f"foveal predict {result.bundle} {'FILM' if document['task'] == 'video' else 'PICTURE'}")
