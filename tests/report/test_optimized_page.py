"""The page of a search: the verdict with its numbers, every variant drawn, nothing loaded or believed."""

import copy
import re

import pytest

from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.report import optimized_doubts as says
from foveal.report import optimized_words
from foveal.report.frontier import accuracy_and_size, accuracy_and_time
from foveal.report.optimized_page import limits, optimized_page


def share(value: float, half: float, n: int = 400):
    return {"value": value, "low": value - half, "high": value + half, "n": n, "method": "tango"}


def row(name: str, *steps: str, lost: float = 0.0, p50: float = 2.0, size: int = 4_000_000, **changes):
    return {
        "name": name,
        "steps": list(steps),
        "accuracy": share(0.9 - lost, 0.03),
        "drop": share(lost, 0.004),
        "latency_ms": {
            **{"p50": p50, "p99": 2 * p50, "p50_low": 0.95 * p50, "p50_high": 1.05 * p50},
            **{"p99_low": 1.8 * p50, "p99_high": 2.5 * p50},
        },
        "cpu_ms": {"value": 1.2 * p50, "low": 1.1 * p50, "high": 1.32 * p50},
        **{"computed": "fp32", "moved_bytes": 1_000_000, "bound_ms": None, "roofline_share": None},
        "time_ratio": {
            "value": p50 / 2,
            "low": 0.9 * p50 / 2,
            "high": 1.1 * p50 / 2,
            "real": p50 != 2,
            "n": 20,
        },
        **{"engine": "onnxruntime", "precision": "fp32", "threads": 1},
        **{"size_bytes": size, "size_ratio": size / 4_000_000, "peak_rss_bytes": 90_000_000},
        **{
            "parameters": 1_000_000,
            "macs": 65_000_000,
            "input_pixels": 64,
            "input_sides": [64, 64],
            "outside": [],
            "unproven": [],
            "code": "feasible",
            "pareto": True,
        },
        **changes,
    }


def steps(variants):
    """Return what a step to each variant but the first gained: int8 really, students not."""
    named = [one["name"] for one in variants]
    return [
        {
            **{"name": one["name"], "step": one["steps"][-1] if one["steps"] else "openvino bf16"},
            "before": before if (before := one["name"].removesuffix("-int8")) in named[:place] else named[0],
            "drop": one["drop"] if place == 1 else share(0.005, 0.004),
            "time_ratio": one["time_ratio"] if place == 1 else {**one["time_ratio"], "real": False},
            **{"size_ratio": 0.5, "memory_bytes": -1_000_000},
        }
        for place, one in enumerate(variants)
        if place > 0
    ]


LEVERS = [
    {"name": "engine", "tried": True, "says": "onnxruntime fp32", "instead": None},
    {"name": "rounding", "tried": True, "says": "int8", "instead": None},
    {"name": "training", "tried": False, "says": "asked <so>", "instead": "foveal optimize <RUN>"},
]


def searched(*variants, test_drop: float = 0.002, limits: dict | None = None, **changes):
    chosen = next((one["name"] for one in variants if one["code"] == "recommended"), None)
    test = {
        "images": 500,
        "independent": 500,
        "accuracy": share(0.88, 0.03, 500),
        "original_accuracy": share(0.883, 0.03, 500),
    }
    test |= {"drop": share(test_drop, 0.01, 500), "agreement": 0.97}
    budget = {"latency_ms": None, "p99_ms": None, "size_bytes": None, "memory_bytes": None, "drop": 0.01}
    return {
        **{
            "feasible": chosen is not None,
            "recommended": chosen,
            "chosen": chosen,
            "nearest": {},
            "model": "runs/train-1",
        },
        **{"bundle": "out/a.foveal", "digest": "4c0f", "measure": "accuracy", "seconds": 61.0},
        **{"limits": {**budget, "seconds": 60.0, "aim": "latency", **(limits or {})}},
        "chosen_on": {"images": 400, "independent": 400, "role": "half of calib"},
        "variants": list(variants),
        **{
            "effects": steps(variants),
            "roofline": None,
            "unproven": [],
            "levers": LEVERS,
            "without_candidates": {},
        },
        "test": None if chosen is None else test,
        "machine": {
            **{"cpu": "A CPU", "features": ["AVX2"], "architecture": "x86_64"},
            **{"cores_present": 4, "cores_usable": 2, "load": 0.5},
        },
        **changes,
    }


ORIGINAL = row("original", code="original", pareto=False)
INT8 = row("original-int8", "quantize", lost=0.002, p50=0.5, size=1_000_000, code="recommended")
STUDENT = row("nano-64", "narrow", "distill", lost=0.03, p50=0.4, size=2_000_000)
STUDENT |= {"outside": ["drop"], "code": "outside"}
STUDENT8 = row("nano-64-int8", "narrow", "distill", "quantize", lost=0.035, p50=0.2, size=500_000)
STUDENT8 |= {"outside": ["drop"], "code": "outside"}
ALL = (ORIGINAL, INT8, STUDENT, STUDENT8)
BEST = {**ORIGINAL, "code": "recommended", "outside": []}


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def impossible():
    rows = [{**one, "code": "outside", "outside": ["latency"]} for one in ALL]
    return searched(*rows, nearest={"latency_ms": 0.2}, limits={"latency_ms": 0.1}, bundle=None, digest=None)


def test_the_page_says_first_what_to_take_with_intervals_and_n():
    page = text(optimized_page(searched(*ALL)))

    said = (
        "“original-int8” is 4.00× as fast (95% interval 3.64× to 4.44×), 4.0× smaller; on the test pictures "
        "it loses +0.2 points (95% interval -0.8 to +1.2, n=500)."
    )
    assert said in page
    assert page.index(said) < page.index("Limits") < page.index("All variants")
    assert "the interval reaches to 1.2 points (n=500)" in page
    assert "“No difference shown” is not “equal”: from 0.8 points better to 1.2 points worse" in page


@pytest.mark.parametrize("draw", [accuracy_and_time, accuracy_and_size])
@pytest.mark.parametrize("rows", [(BEST,), ALL])
def test_every_variant_is_one_point_and_the_drawing_repeats_itself(draw, rows):
    document = searched(*rows)

    chart = draw(document)

    assert len(re.findall(r'id="\w+-variant-\d+"', chart.svg)) == len(chart.rows) == len(rows)
    assert [one[0] for one in chart.rows] == [one["name"] for one in rows]
    assert chart.svg == draw(document).svg


def test_a_hopeless_variant_leaves_the_others_apart():
    hopeless = row("nano-8", "narrow", lost=0.6, p50=0.1, pareto=False, accuracy=share(0.27, 0.03))
    perfect = row("large", "engine", accuracy={**share(1.0, 0.01), "high": 1.0})

    def heights(document):
        drawn = accuracy_and_time(document).svg
        places = re.findall(r'variant-(\d+)">.*?<use [^>]*y="([\d.]+)"', drawn, flags=re.DOTALL)
        return {document["variants"][int(k)]["name"]: float(y) for k, y in places}

    found = heights(searched(*ALL, hopeless, perfect))

    assert found["large"] < found["original"] < found["nano-64"] < found["nano-8"]
    assert found["nano-64"] - found["original"] > (0.03 / 0.63) * 2 * (found["nano-8"] - found["original"])


def test_limits_are_lines_only_where_they_were_set():
    free = searched(*ALL)
    bound = searched(*ALL, limits={"latency_ms": 1.0, "size_bytes": 900_000})

    for draw in (accuracy_and_time, accuracy_and_size):
        assert draw(free).svg.count("limit-across") == 0
        assert draw(bound).svg.count("limit-across") == 1
        assert draw(bound).svg.count("limit-drop") == 1


@pytest.mark.parametrize(
    ("most", "verdict", "broken"),
    [
        (0.6, "kept", False),
        (0.51, "kept by the estimate; the interval reaches beyond", False),
        (0.4, "not kept", True),
    ],
)
def test_a_limit_is_kept_without_reserve_only_where_the_whole_interval_keeps_it(most, verdict, broken):
    latency = limits(searched(*ALL, limits={"latency_ms": most}))[0]

    assert (latency.says, latency.broken) == (verdict, broken)
    assert latency.found == "0.5 ms (95% interval 0.475 to 0.525 ms)"


def test_a_limit_on_the_99th_percentile_has_its_own_interval():
    document = searched(*ALL, limits={"p99_ms": 1.2})

    [tail, _] = limits(document)

    assert tail.found == "1 ms (95% interval 0.9 to 1.25 ms)"
    assert tail.says == "kept by the estimate; the interval reaches beyond"
    said = " ".join(says.unproven(document))
    assert "That 99 of 100 answers stay within 1.2 ms is not proven: the interval reaches to 1.25 ms." in said
    assert "one on the median" not in said


def test_a_limit_on_the_median_says_what_the_slowest_in_a_hundred_take():
    said = " ".join(says.unproven(searched(*ALL, limits={"latency_ms": 0.6})))

    assert "one answer in a hundred took more than 1 ms (--max-p99 limits that)" in said


def test_memory_that_was_not_measured_is_not_called_kept():
    rows = [{**one, "peak_rss_bytes": None} for one in ALL]
    document = searched(*rows, limits={"memory_bytes": 10})

    assert [one.says for one in limits(document) if one.name == "memory"] == ["not known"]
    assert "its memory was not measured" in " ".join(says.unproven(document))


def test_each_step_is_a_row_from_what_it_began_with_to_what_came_out():
    page = text(optimized_page(searched(*ALL)))

    steps = page[page.index("A row for each step") : page.index("How near the limits")]
    assert (
        "quantize original original-int8 +0.2 (-0.2 to +0.6) 2 → 0.5 4× (3.64 to 4.44) 2.0× smaller" in steps
    )
    assert "quantize nano-64 nano-64-int8 +0.5 (+0.1 to +0.9) 0.4 → 0.2 no real difference" in steps


def test_the_file_as_it_is_in_a_faster_engine_is_no_new_file_and_not_called_the_original():
    engine = row("original-engine", p50=0.5, code="recommended", engine="openvino", precision="bf16")

    page = text(optimized_page(searched(ORIGINAL, engine)))

    assert "Keep the file, run it in openvino bf16" in page
    assert "“original-engine” is 4.00× as fast" in page
    assert "it is the original" not in page


def test_processor_time_and_bytes_are_called_a_proxy_of_energy_and_missing_ones_a_dash():
    rows = [{**one, "cpu_ms": dict.fromkeys(("value", "low", "high"))} for one in ALL]

    page = text(optimized_page(searched(*ALL)))

    assert "proxies of the energy" in page
    assert "joule" not in page.lower()
    assert " 0.6 (0.55 to 0.66) 1 MB " in page
    assert " – 1 MB " in text(optimized_page(searched(*rows)))


def test_where_nothing_is_feasible_the_page_says_what_would_be():
    page = text(optimized_page(impossible()))

    assert "Not feasible" in page
    assert "None of 4 variants keeps all limits. Best reachable: median time 0.2 ms (95% interval" in page
    assert "nothing was measured on them" in page
    assert "every variant keeps it" in page


def test_a_choice_that_fails_on_the_test_pictures_is_not_recommended():
    page = text(optimized_page(searched(*ALL, test_drop=0.03, feasible=False)))

    assert "Take original-int8" not in page
    assert "Not kept on the test pictures" in page
    assert "loses +3.0 points (95% interval +2.0 to +4.0, n=500); allowed is 1 point." in page
    assert "not kept" in page


def test_a_single_variant_is_kept_and_has_no_steps():
    page = optimized_page(searched(BEST))

    assert "Keep the original" in page
    assert 'id="steps"' not in page
    assert "were compared on the same" not in page


def test_a_difference_within_the_noise_is_no_factor():
    rows = copy.deepcopy(ALL)
    rows[1]["time_ratio"]["real"] = False

    page = text(optimized_page(searched(*rows)))

    assert "“original-int8” is not shown to be faster or slower" in page
    assert "That it is faster than the original is not shown" in page


def test_ends_that_are_not_known_are_said():
    rows = copy.deepcopy(ALL)
    for one in rows:
        one["latency_ms"] |= {"p50_low": None, "p50_high": None}
        one["time_ratio"] |= {"low": None, "high": None}
        one["macs"] = None

    page = text(optimized_page(searched(*rows, limits={"latency_ms": 1.0})))

    assert "4.00× as fast (too few rounds for an interval)" in page
    assert "has no upper end" in page


def test_the_engine_whose_accuracy_it_is_is_said():
    rows = [{**one, "engine": "openvino", "precision": "bf16"} for one in ALL]

    assert any("Accuracy is that of openvino bf16." in one for one in says.unproven(searched(*rows)))


def test_names_are_escaped_and_nothing_is_loaded():
    rows = copy.deepcopy(ALL)
    for one in rows:
        one["name"] += "<b>$x$"
    document = searched(*rows, model="runs/<i>mine", bundle="<u>a.foveal")
    document["machine"]["cpu"] = "A <script>CPU"

    page = optimized_page(document)

    for foreign in ("<b>$", "<i>mine", "<u>a", "<script"):
        assert foreign not in page
    assert "&lt;b&gt;$x$" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)


def agreeing(**changes):
    test = {
        "images": 500,
        "independent": 500,
        "accuracy": share(0.995, 0.004, 500),
        "original_accuracy": None,
    }
    test |= {"drop": share(0.005, 0.004, 500), "agreement": 0.995}
    return searched(*ALL, measure="agreement", labels=False, **{"test": test, **changes})


def test_without_labels_nothing_is_called_accuracy_that_is_agreement():
    page = text(optimized_page(agreeing()))

    assert "on pictures that chose nothing it changes 0.5% (95% interval 0.1% to 0.9%, n=500)" in page
    assert "answers changed 1%" in page
    assert "accuracy cannot fall by more than the share that changed" in page
    for word in ("ccuracy lost", "points lost", "test picture", "Accuracy on", "Accuracy and"):
        assert word not in page


def test_no_change_is_not_called_none():
    none = {"value": 0.0, "low": 0.0, "high": 0.0073, "n": 500, "method": "clopper-pearson"}
    document = agreeing()
    document["test"]["drop"] = none

    said = " ".join(says.unproven(document))

    assert "up to 0.7% is compatible with it" in said
    assert "estimated, not proven" not in said


@pytest.mark.parametrize("make", [agreeing, lambda: searched(*ALL), lambda: searched(BEST), impossible])
def test_ids_are_unique_and_every_share_has_its_n(make):
    page = optimized_page(make())

    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for section in ("verdict", "frontier", "variants", "limits-of-the-machine", "test", "origin"):
        assert section in ids
    assert "n=400" in page


def test_a_limit_that_only_the_estimate_keeps_is_said_where_it_is_recommended():
    chosen = {**INT8, "unproven": ["drop"]}
    document = searched(ORIGINAL, chosen, unproven=["latency", "drop"], limits={"latency_ms": 0.51})

    page = text(optimized_page(document))

    first = page[: page.index("Limits")]
    assert "Not proven: that the median time stays within 0.51 ms." in first
    assert "Not proven: that no more than 1 point of accuracy is lost." in first
    assert "recommended; not proven: accuracy lost" in page
    assert "Not proven: that" not in text(optimized_page(searched(*ALL)))


def test_of_the_original_nothing_is_lost_and_that_is_no_estimate():
    kept = limits(searched(BEST))[-1]

    assert (kept.name, kept.says, kept.broken) == ("accuracy lost", "kept", False)


def test_a_family_that_the_network_does_not_allow_is_said_with_its_reason():
    document = searched(*ALL) | {"without_candidates": {"smaller_pictures": "it takes <one> size"}}

    assert "smaller_pictures: <b>not tried</b>: it takes &lt;one&gt; size." in optimized_page(document)
    assert optimized_words.untried(document)[-1] == "smaller_pictures: it takes <one> size"


def test_what_could_not_be_tried_is_said_with_what_to_type():
    page = optimized_page(searched(*ALL))

    assert "asked &lt;so&gt;. Instead: foveal optimize &lt;RUN&gt;." in page
    assert page.count("not tried</b>") == 1
    assert optimized_words.untried(searched(*ALL)) == ["Training: asked <so>. Instead: foveal optimize <RUN>"]


@pytest.mark.parametrize("allowed", [0.5, 0.05, 0.01, 0.005, 0.001])
def test_so_many_pictures_as_are_said_to_prove_a_limit_do_and_one_less_does_not(allowed):
    needed = says.pictures_needed(allowed)

    assert clopper_pearson(0, needed).high <= allowed < clopper_pearson(0, needed - 1).high


def test_every_time_and_every_share_of_what_is_reachable_has_its_interval():
    nearest = {"latency_ms": 0.2, "p99_ms": 0.4, "drop": 0.002, "size_bytes": 500_000}

    found = optimized_words.reachable(nearest, ALL).split(", ")

    assert len([one for one in found if "interval" in one]) == 3
    assert "size 500 kB" in found


@pytest.mark.parametrize(
    ("allowed", "n", "said"),
    [
        (0.01, 40, "that takes 368 pictures to prove, about 992 in all"),
        (0.01, 400, "More pictures narrow it"),
        (0.0, 40, "No number of pictures"),
    ],
)
def test_how_many_pictures_would_prove_a_limit_on_answers_is_said(allowed, n, said):
    document = agreeing()
    document["limits"]["drop"] = allowed
    document["test"]["drop"] = {"value": 0.0, "low": 0.0, "high": 0.088, "n": n, "method": "clopper-pearson"}

    assert said in " ".join(says.unproven(document))


@pytest.mark.parametrize("tried", [True, False])
def test_more_time_is_advised_only_where_something_is_trained(tried):
    document = impossible() | {"levers": [{**LEVERS[2], "tried": tried}]}

    assert ("A longer --time" in " ".join(says.unproven(document))) is tried


def test_of_pictures_that_belong_together_the_page_says_what_counts() -> None:
    chosen_on = {"images": 400, "independent": 59, "role": "half of calib"}

    apart, together = (
        text(optimized_page(searched(*ALL, **more))) for more in ({}, {"chosen_on": chosen_on})
    )

    assert "belong together" not in apart
    assert "they say as much as 59 that stand alone" in together
