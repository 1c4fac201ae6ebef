"""optimize.levers: what a file leaves to be done, and what to type where it leaves little."""

from dataclasses import replace

import pytest

from foveal.bundle.manifest import Model
from foveal.bundle.ways import Way
from foveal.optimize.levers import Named, held, levers
from foveal.optimize.rounding import ROUNDINGS

ORIGIN = "4c0f" * 16
RUN = Named("runs/train-1", "runs/train-1/a.foveal", is_run=True)
FILE = Named("a-int8.foveal", "a-int8.foveal", is_run=False)
WAYS = [
    Way(engine, precision, threads)
    for engine, precision in (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
    for threads in (1, 2)
]


def model(rounding: str | None = None) -> Model:
    if rounding is None:
        return Model(name="nano", parameters=10, source="scratch")
    way = ROUNDINGS[rounding]
    return Model(
        name="nano",
        parameters=10,
        source="scratch",
        precision=way.precision,
        origin=ORIGIN,
        steps=(way.step,),
    )


def of(original: Model, named: Named, ways=WAYS, *, train=True, taught=True):
    return {one.name: one for one in levers(original, named, ways, train=train, taught=taught)}


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("named", [RUN, FILE])
def test_whatever_rounding_made_is_not_rounded_again_and_that_is_said(rounding, named) -> None:
    found = of(model(rounding), named)["rounding"]

    assert found.tried is False
    assert held(model(rounding)) in found.says
    assert named is RUN or ORIGIN[:12] in found.instead
    assert found.instead.startswith("foveal export runs/train-1" if named is RUN else "foveal optimize")


def test_every_rounding_is_told_from_the_others() -> None:
    assert len({held(model(rounding)) for rounding in ROUNDINGS}) == len(ROUNDINGS)
    assert held(model()) is None


def test_a_rounded_file_still_has_engines_and_threads_in_its_own_precision() -> None:
    found = of(model("int8"), FILE, taught=False)

    assert found["engine"].says == "onnxruntime int8, openvino int8, openvino int8+bf16, with 1 and 2 threads"
    assert [name for name, one in found.items() if one.tried] == ["engine"]
    assert "foveal optimize RUN" in found["training"].instead


def test_of_a_run_in_float_all_three_are_tried() -> None:
    assert all(one.tried and one.instead is None for one in of(model(), RUN).values())


def test_one_way_is_no_choice() -> None:
    found = of(model(), RUN, WAYS[:1])["engine"]

    assert (found.tried, "--engine" in found.instead) == (False, True)
    assert found.says == "onnxruntime fp32 with 1 thread is the only way to run it that is allowed here"


@pytest.mark.parametrize(("train", "said"), [(False, "without --no-train"), (True, "--time")])
def test_why_nothing_was_taught_is_told_apart(train, said) -> None:
    found = of(model(), RUN, train=train, taught=False)["training"]

    assert (found.tried, said in found.instead) == (False, True)


def test_what_says_where_something_is_is_not_said_to_want_more_time() -> None:
    told = of(model(), replace(RUN, learns=False), taught=False)["training"]

    assert not told.tried
    assert "--time" not in told.instead
    assert told.instead.startswith("foveal train")
