"""flows.inspect_train: from pairs to a sealed rule that judges, and what is refused and reviewed."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boards import write_pairs
from foveal.bundle.inputs import Pair
from foveal.bundle.inspecting import inspect, rule_of
from foveal.bundle.predictor import load
from foveal.calibrate.inspection.fit import Demands
from foveal.core.errors import DataError, UsageError, WriteError
from foveal.flows.inspect_evaluate import People, Question, inspect_evaluate
from foveal.flows.inspect_rule import inspect_rule
from foveal.flows.inspect_train import Wanted, inspect_train, mode_of
from foveal.tasks.judging import Costs
from foveal.train.recipe import Recipe

COSTS = Costs(miss=100, false_call=10, review=1)
DEMANDS = Demands(miss=0.3, false_call=0.3, costs=COSTS)


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("parts") / "boards", pairs=44, good=44)


@pytest.fixture(scope="module")
def trained(boards: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    question = Question(costs=COSTS, people=People(miss=0.5, false_call=0.5))
    recipe = Recipe(epochs=18, threads=1, precision="fp32")
    return inspect_train(
        boards, Wanted(demands=DEMANDS, question=question), recipe, out=tmp_path_factory.mktemp("run") / "r"
    )


def test_pairs_become_a_bundle_with_a_proven_rule(trained: dict) -> None:
    assert (trained["mode"], trained["ok"]) == ("pairs", True)
    assert trained["rule"]["miss"]["n"] == trained["rule"]["false_call"]["n"] == 11
    assert trained["rule"]["quality"]["layers"] == 3
    station = load(trained["bundle"])
    assert station.digest == trained["digest"]
    assert rule_of(station).model_dump(mode="json") == trained["rule"]
    assert station.report is not None
    assert station.report["digest"] == station.digest


def test_the_evaluation_says_what_is_found_and_what_is_decided(trained: dict) -> None:
    found = trained["evaluation"]

    assert found["map33"]["value"] > 0.9
    assert found["image_auroc"]["value"] > 0.95
    assert (found["parts"], found["defective"]) == (22, 11)
    counts = {verdict: share["value"] * share["n"] for verdict, share in found["decisions"].items()}
    assert sum(counts.values()) == pytest.approx(22)
    assert counts["accept"] > 0
    assert counts["reject"] > 0
    assert found["outcome"]["cost"]["value"] <= 1 + 1e-9  # no more than looking at each
    assert found["people"]["miss"]["verdict"] in ("better", "not shown")
    kinds = {kind["name"]: kind for kind in found["metrics"]["kinds"]}
    assert set(kinds) == {"hole", "spot"}
    assert found["metrics"]["defects"] == sum(kind["defects"] for kind in kinds.values())


def test_the_same_is_measured_of_the_bundle_alone(trained: dict, boards: Path) -> None:
    again = inspect_evaluate(trained["bundle"], boards, question=Question(costs=COSTS)).document

    assert again["decisions"] == trained["evaluation"]["decisions"]
    assert again["map33"] == trained["evaluation"]["map33"]


def spoiled(image: Image.Image, how: str) -> bytes:
    changed = {
        "dark": lambda: image.point(lambda level: int(level * 0.3)),
        "blurred": lambda: image.filter(ImageFilter.GaussianBlur(3)),
        "turned": lambda: image.rotate(9),
        "as it is": lambda: image,
    }[how]()
    held = io.BytesIO()
    changed.save(held, "PNG")
    return held.getvalue()


@pytest.mark.parametrize(
    ("how", "reason"), [("dark", "too_dark"), ("blurred", "blurred"), ("turned", "not_registered")]
)
def test_what_cannot_be_judged_is_reviewed(trained: dict, boards: Path, how: str, reason: str) -> None:
    station, template = load(trained["bundle"]), boards / "003_template.png"
    image = Image.open(boards / "003.png")

    usual = inspect(station, Pair(spoiled(image, "as it is"), template), "a", rule=rule_of(station))
    found = inspect(station, Pair(spoiled(image, how), template), "a", rule=rule_of(station))

    assert usual.judgement.verdict in ("accept", "reject")
    assert found.judgement.verdict == "review"
    assert reason in found.judgement.reasons


def test_the_template_of_another_part_is_reviewed(trained: dict, boards: Path) -> None:
    station = load(trained["bundle"])

    found = inspect(
        station, Pair(boards / "003.png", boards / "007_template.png"), "a", rule=rule_of(station)
    )

    assert (found.judgement.verdict, found.judgement.reasons) == ("review", ("not_registered",))


def test_the_mode_follows_from_the_data(boards: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for name in ("apple", "bruised"):
        (plain / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(plain / name / f"{number}.png")

    assert mode_of(boards) == "pairs"
    assert mode_of(plain, good=("apple",)) == "classes"
    with pytest.raises(DataError) as refused:
        mode_of(plain)
    assert refused.value.code == "no_inspection"
    with pytest.raises(UsageError):
        inspect_train(plain, Wanted(mode="pairs"), Recipe(epochs=1), out=tmp_path / "run")


def test_a_bundle_that_is_there_gets_a_rule(trained: dict, boards: Path, tmp_path: Path) -> None:
    run = Path(trained["run"])

    made = inspect_rule(trained["bundle"], boards, run / "other.foveal", Demands(miss=0.2, false_call=0.25))

    assert made["rule"]["miss"] is None  # 11 boards without an error prove 24 %
    assert made["rule"]["false_call"]["rate"] == 0.25
    assert any("needs n ≥ 14 defective parts, has 11" in note for note in made["notes"])
    assert load(made["bundle"]).digest == made["digest"] != trained["digest"]
    with pytest.raises(WriteError):
        inspect_rule(trained["bundle"], boards, run / "other.foveal", Demands())
