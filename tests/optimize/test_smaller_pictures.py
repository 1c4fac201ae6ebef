"""optimize.families.smaller_pictures, and what it asks of timing and teaching: each size its own pictures."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from foveal.bundle.manifest import Data, Images
from foveal.bundle.ways import REFERENCE, Way
from foveal.core.errors import UsageError
from foveal.export.sealing import Origin
from foveal.export.sealing import bundle as seal
from foveal.models._cost import macs
from foveal.optimize import foresight, measuring
from foveal.optimize.candidate import Start
from foveal.optimize.families.smaller_pictures import smaller_pictures
from foveal.optimize.foresight import foresee
from foveal.optimize.measuring import timed
from foveal.optimize.steps.at_size import taking
from foveal.optimize.steps.distill import Schedule, distill, plan_lesson
from foveal.tasks.recognizer import build
from foveal.train.examples import Examples

WAY = Way(REFERENCE, "fp32", 1)
ORIGIN = Origin(Data(fingerprint="f" * 64, split_seed=0, images=Images(fit=9, calib=30, test=0)))


def shown(size, count=30):
    return np.random.default_rng(size).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def of_size(nano, size):
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 6, "size": size, "widths": [8, 16, 16]}
    preprocess = nano.preprocess.model_copy(update={"size": size})
    return replace(nano, network=build("nano", arguments).eval(), arguments=arguments, preprocess=preprocess)


def start_at(original):
    size = original.preprocess.size

    def at_sizes(sizes):
        return {one: shown(one) for one in sizes}

    return Start(original, shown(size), original.cost().macs, at_sizes=at_sizes)


@pytest.mark.parametrize(
    ("size", "expected"), [(16, []), (24, [16]), (32, [24, 16]), (40, [32, 24, 16]), (64, [48, 40, 32])]
)
def test_sizes_are_smaller_multiples_of_eight_that_the_architecture_takes(nano, size, expected) -> None:
    found = smaller_pictures(start_at(of_size(nano, size)))

    assert [one.make().preprocess.size for one in found] == expected
    assert [one.name for one in found] == [f"pixels-{each}" for each in expected]


def test_each_costs_what_the_network_costs_at_that_size_and_inherits(nano) -> None:
    original = of_size(nano, 64)

    for one in smaller_pictures(start_at(original)):
        size = one.make().preprocess.size
        assert one.macs == macs(original.network, torch.zeros(1, 3, size, size))
        assert one.macs < 0.75 * original.cost().macs
        assert (one.parameters, one.inherits) == (original.cost().parameters, True)
        assert one.steps == (f"pixels-{size}",)


def test_where_there_are_no_files_or_the_network_takes_one_size_there_are_none(nano) -> None:
    original = of_size(nano, 32)
    counted = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6))

    assert smaller_pictures(Start(original, shown(32), 1)) == []
    with pytest.raises(UsageError, match="own was made for 32 pixels and takes no other size") as caught:
        smaller_pictures(start_at(replace(original, network=counted, architecture="own")))
    assert caught.value.code == "no_family"


def test_times_are_foreseen_from_graphs_of_their_own_size(nano, monkeypatch) -> None:
    """Seconds are the places of a picture, so a graph or a picture of another size shows."""
    start = start_at(of_size(nano, 64))
    seen = []

    def turns(sessions, images, *, seconds):
        for session, each in zip(sessions, images, strict=True):
            session.run(each)  # an engine refuses pictures of another size
        seen.append([each.shape[1] for each in images])
        return tuple(float(each.shape[1]) ** 2 for each in images)

    monkeypatch.setattr(foresight, "quick_turns", turns)
    yardstick = foresight.Yardstick(foresight.graph(start.original), WAY, 1.0)

    made = foresee(start, smaller_pictures(start), {"fp32": yardstick}, seconds=60)

    assert seen == [[32, 64], [48, 64]]
    assert [one.predicted["fp32"] for one in made] == pytest.approx(
        [48**2 / 64**2, 40**2 / 64**2, 0.25], rel=0.02
    )


def test_each_file_is_timed_on_pictures_of_its_own_size(nano, tmp_path, monkeypatch) -> None:
    paths = []
    for size in (24, 16):
        network = taking(nano, size)
        examples = Examples(shown(size), np.arange(30) % 6, np.arange(30))
        paths.append(tmp_path / f"{size}.foveal")
        assert seal(network, paths[-1], calib=examples, origin=ORIGIN).bundle is not None
    lanes = []
    real = measuring.take_turns

    def noted(given, **more):
        lanes.extend(given)
        return real(given, **more)

    monkeypatch.setattr(measuring, "take_turns", noted)

    rows = timed([(path, [WAY]) for path in paths], {size: shown(size) for size in (16, 24)}, seconds=0.2)

    assert [len(row) for row in rows] == [1, 1]
    for lane, size in zip(lanes, (24, 16), strict=True):
        assert len(lane.inputs) == 8
        assert {one.shape for one in lane.inputs} == {(1, size, size, 3)}
        assert all(any(np.array_equal(one[0], each) for each in shown(size)) for one in lane.inputs)


class Watched(nn.Module):
    """A teacher that notes what it is shown and answers with its mean colours."""

    seen: ClassVar[list[torch.Tensor]] = []

    def forward(self, images):
        Watched.seen.append(images)
        return torch.cat([images.mean(dim=(2, 3))] * 2, dim=1)


def test_a_teacher_that_is_asked_in_every_step_is_shown_the_students_pictures_enlarged(nano) -> None:
    student = taking(nano, 16)
    teacher = replace(of_size(nano, 32), network=Watched(), architecture="own")
    examples = Examples(shown(16), np.arange(30) % 6, np.arange(30))
    schedule = Schedule(0.01, batch_size=30, rate_share=0.1, augmentation={}, threads=1)
    Watched.seen.clear()

    distill(student, teacher, examples, plan_lesson(student, teacher, examples, schedule))

    assert {tuple(images.shape[1:]) for images in Watched.seen} == {(3, 32, 32)}
    halves = nn.functional.avg_pool2d(Watched.seen[-1], 2).mean(dim=(2, 3))
    small = torch.from_numpy(shown(16)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (nano.preprocess.mean, nano.preprocess.std))
    expected = ((small - mean) / std).mean(dim=(2, 3))
    order = torch.cdist(halves, expected).argmin(1)
    assert sorted(order.tolist()) == list(range(30)), "each of them, once"
