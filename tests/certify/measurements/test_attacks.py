"""What is said of adversaries: against the exact radius of a linear network, and against hidden gradients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.bundle.predictor import Predictor
from foveal.certify import parts
from foveal.certify import twin as twins
from foveal.certify.certificate import certify
from foveal.certify.measurement import Measurement, Section
from foveal.certify.measurements._attacks import survivors
from foveal.certify.measurements.adversarial import adversarial
from foveal.certify.parts import Parts
from foveal.certify.profile import Profile
from foveal.certify.subject import Answered, Subject
from foveal.certify.verdicts import judge
from foveal.evaluate.held_out import HeldOut
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.white_box import apgd_ce, apgd_dlr

from .halves import LEVEL, SIDE, linear, pictures, recognizer, robust


class Masking(nn.Module):
    """Rounds pixels to six steps first: the same answers nearly, and no gradient at all."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(torch.round(images * 1.5) / 1.5)
        return logits


class Surer(nn.Module):
    """Of misread pictures it is up to 1 surer, but where margins are as small or as large as unmoved ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        margin = logits[:, :1] - logits[:, 1:]
        more = (1 - (margin.abs() - 1.7).abs()).relu() * margin.sign()
        return logits + torch.cat([more, -more], dim=1) / 2


def flags(one: Subject) -> list[dict[str, Any]]:
    """Return the signs that the attacks were blunt."""
    [found] = [s for s in adversarial.measure(one).statements if s.claim.key == "attack_flags"]
    assert found.value.n == len(found.details["flags"])
    assert found.value.value * found.value.n == sum(row["red"] for row in found.details["flags"])
    return found.details["flags"]


def red(one: Subject) -> set[str]:
    return {row["flag"] for row in flags(one) if row["red"]}


def exact_margin(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return by how many levels the true half's mean beats the other's: twice the radius that turns it."""
    left, right = images[:, :, : SIDE // 2].mean((1, 2, 3)), images[:, :, SIDE // 2 :].mean((1, 2, 3))
    return np.where(labels == 0, left - right, right - left)


def test_a_linear_network_survives_exactly_where_its_radius_allows(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", radii=(2.0, 8.0), l2_radii=()))
    images, labels = one.test.some(LEVEL.attacked)
    margins = exact_margin(images, labels)

    for statement, radius in zip(robust(one).values(), (2, 8), strict=True):
        # Both halves move by the radius, if no pixel is cut off at 0 or 255: a few are, so within two.
        assert abs(statement.value.value * len(images) - (margins > 2 * radius).sum()) <= 2
        assert statement.claim.kind == "upper_bound"


def test_farther_adversaries_leave_fewer(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", radii=(1.0, 4.0, 16.0), l2_radii=(0.1, 0.5)))
    near, middle, far, *l2 = (found.value.value for found in robust(one).values())

    assert near >= middle >= far
    assert l2[0] >= l2[1]


def test_what_withstands_a_larger_ball_is_not_attacked_again(sealed, attacked) -> None:
    one = attacked(*sealed(linear()), profile=Profile(name="t", radii=(2.0, 8.0), l2_radii=()))
    images, labels = one.test.some(LEVEL.attacked)
    far = survivors(one, images, labels, Ball("linf", 8.0))
    near = survivors(one, images, labels, Ball("linf", 2.0), far.robust)
    alone = survivors(one, images, labels, Ball("linf", 2.0))

    assert 0 < far.robust.sum() < near.robust.sum()
    assert (near.robust >= far.robust).all()
    assert (near.robust == alone.robust).all()
    assert not set(near.fooled) & set(np.flatnonzero(far.robust).tolist())


def test_a_file_that_differs_from_its_network_is_attacked_until_it_falls(sealed, attacked) -> None:
    """The network's threshold is elsewhere: it misreads pictures that the file reads rightly, and so on."""
    _, path = sealed(linear())
    shifted = linear()
    with torch.no_grad():
        shifted[1].bias[0] += 0.05 * SIDE * SIDE / 2 * 6 / 255 / 0.25  # as if one half were 6 levels brighter
    one = attacked(recognizer(shifted), path, level=replace(LEVEL, queries=1))
    images, labels = one.test.some(LEVEL.attacked)
    margins = exact_margin(images, labels)
    disagree = (margins > 0) & (one.twin.logits(images).argmax(axis=1) != labels)
    assert disagree.sum() >= 3, "the case that this is about"

    found = survivors(one, images, labels, Ball("linf", 12.0))
    assert abs(int(found.robust.sum()) - int((margins > 24).sum())) <= 1
    assert not found.robust[disagree].any()
    assert sum(map(len, found.broken.values())) == len(found.broken["apgd-ce"]), "the first moves them, too"


def test_what_the_network_is_asked_is_what_a_file_can_hold(sealed) -> None:
    twin, _ = sealed(linear())
    images, labels = pictures(8, seed=3)
    asked = []

    def attack(logits, pixels, truth, /, *, ball, generator):
        moved = (pixels + 1.4).clamp(0, 255).requires_grad_()
        [slope] = torch.autograd.grad(logits(moved)[:, 0].sum(), moved)
        asked.append((logits(moved), slope, ball))
        return moved.detach()

    found = twins.attacked(twin, attack, images, labels, ball=Ball("linf", 1.5), parts=Parts(seed=0))
    [(answers, slope, ball)] = asked
    assert ball == Ball("linf", 1.0)
    assert (found == (images.astype(int) + 1).clip(0, 255)).all()
    np.testing.assert_allclose(answers.detach().numpy(), twin.logits(found), atol=1e-5)
    assert (slope.abs() > 0).any(), "rounding does not hide the slope"


def test_parts_cover_all_pictures_once_and_change_no_outcome(sealed, attacked, monkeypatch) -> None:
    one = attacked(*sealed(linear()))
    images, labels = one.test.some(LEVEL.attacked)
    ball, seen = Ball("linf", 4.0), []

    def attack(logits, pixels, truth, /, *, ball, generator):
        seen.append((pixels, truth, float(torch.rand((), generator=generator))))
        return pixels

    at_once = survivors(one, images, labels, ball)
    monkeypatch.setattr(parts, "_PIXELS", 7 * SIDE * SIDE)
    twins.attacked(one.twin, attack, images, labels, ball=ball, parts=Parts(seed=0))
    in_parts = survivors(one, images, labels, ball)

    assert max(len(pixels) for pixels, _, _ in seen) == 7
    assert torch.equal(torch.cat([pixels for pixels, _, _ in seen]), twins.as_tensor(images))
    assert torch.cat([truth for _, truth, _ in seen]).tolist() == labels.tolist()
    assert len({draw for _, _, draw in seen}) == len(seen), "each part draws for itself"
    assert (at_once.robust == in_parts.robust).all()
    assert twins.vanished(one.twin, images, labels) == 0


def test_the_number_of_threads_changes_nothing(sealed, attacked, monkeypatch) -> None:
    """Neither what is stated nor the pictures that were found."""
    monkeypatch.setattr(parts, "_PIXELS", 7 * SIDE * SIDE)
    twin, path = sealed(linear())
    alone, together = (adversarial.measure(attacked(twin, path, threads=threads)) for threads in (1, 3))

    assert alone.statements == together.statements
    assert [strip.title for strip in alone.strips] == [strip.title for strip in together.strips]
    for one, other in zip(alone.strips, together.strips, strict=True):
        for first, second in zip(one.pictures, other.pictures, strict=True):
            np.testing.assert_array_equal(first.image, second.image)


def test_the_largest_distance_and_those_with_a_limit_get_all_pictures(sealed, attacked) -> None:
    twin, path = sealed(linear())
    profile = Profile(name="t", radii=(1.0, 4.0, 8.0), l2_radii=(0.5,), limits={"robust_linf_4": 0.5})
    few = replace(LEVEL, attacked_otherwise=20)
    found = robust(attacked(twin, path, level=few, profile=profile))
    whole = robust(attacked(twin, path, profile=profile))

    assert [s.value.n for s in found.values()] == [20, 60, 60, 20]
    assert found["robust_linf_8"] == whole["robust_linf_8"]
    assert found["robust_linf_4"].value == whole["robust_linf_4"].value, "who withstood 8 is spared"
    images, labels = attacked(twin, path).test.some(60)
    near = exact_margin(images, labels)[np.linspace(0, 59, 20).astype(int)] > 2 * 1.0
    assert abs(found["robust_linf_1"].value.value * 20 - near.sum()) <= 1, "from end to end of the 60"


def test_torch_takes_one_thread_and_then_as_many_as_before(sealed, attacked, monkeypatch) -> None:
    found, before = [], torch.get_num_threads()

    def measure(_: Subject) -> Section:
        found.append(torch.get_num_threads())
        return Section(())

    measured = Measurement("C1", "t", lambda profile: (), measure)
    monkeypatch.setattr("foveal.certify.certificate.every_measurement", lambda: [measured])
    one = attacked(*sealed(linear()), threads=3)
    torch.set_num_threads(2)
    try:
        certify(one)
        with pytest.raises(ZeroDivisionError), twins.one_thread():
            raise ZeroDivisionError
        assert (found, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_each_part_of_an_attack_has_one_thread(sealed, monkeypatch) -> None:
    twin, _ = sealed(linear())
    images, labels = pictures(21, seed=3)
    monkeypatch.setattr(parts, "_PIXELS", 7 * SIDE * SIDE)
    found, before = [], torch.get_num_threads()

    def attack(logits, pixels, truth, /, *, ball, generator):
        found.append(torch.get_num_threads())
        return pixels

    torch.set_num_threads(2)
    try:
        twins.attacked(twin, attack, images, labels, ball=Ball("linf", 1.0), parts=Parts(seed=0, threads=3))
    finally:
        torch.set_num_threads(before)
    assert found == [1, 1, 1]


def test_without_a_network_these_gates_are_not_asked(sealed, attacked) -> None:
    _, path = sealed(linear())
    one = attacked(None, path)
    found = adversarial.measure(one).statements

    assert found
    assert {judged.verdict for judged in judge(found, {s.claim.key: 0.5 for s in found})} == {"not_asked"}


def test_smoke_cannot_pass_and_can_fail(sealed, attacked) -> None:
    smoke = replace(LEVEL, name="smoke")
    one = attacked(*sealed(linear()), level=smoke, profile=Profile(name="t", radii=(1.0, 64.0), l2_radii=()))
    found = list(robust(one).values())
    near, far = judge(found, {s.claim.key: 0.1 for s in found})

    assert near.verdict == "insufficient"
    assert near.statement.value.low > 0.1
    assert far.verdict == "fail"


def test_smoke_does_not_say_that_its_attacks_were_sharp(sealed, attacked) -> None:
    twin, path = sealed(linear())
    smoke, limits = replace(LEVEL, name="smoke"), {"attack_flags": 0.0}

    def signs(one):
        statements = [s for s in adversarial.measure(one).statements if s.claim.key in limits]
        [judged] = judge(statements, limits)
        return judged

    honest, weak = signs(attacked(twin, path)), signs(attacked(twin, path, level=smoke))
    masked = signs(attacked(*sealed(Masking(linear())), level=smoke))

    assert [one.verdict for one in (honest, weak, masked)] == ["pass", "insufficient", "fail"]
    assert "too weak" in weak.statement.note


def test_no_flag_is_raised_by_an_honest_network(sealed, attacked) -> None:
    assert red(attacked(*sealed(linear()))) == set()


def test_signs_are_looked_for_in_the_largest_ball_of_each_norm(sealed, attacked) -> None:
    twin, path = sealed(linear())
    demanded = Profile(name="t", radii=(4.0, 2.0), l2_radii=(0.2, 0.1))
    in_balls = [row["ball"] for row in flags(attacked(twin, path, profile=demanded)) if row["ball"]]

    assert in_balls == ["linf 4/255"] * 3 + ["l2 0.2"] * 3
    only_l2 = attacked(twin, path, profile=Profile(name="t", radii=(), l2_radii=(0.2,)))
    assert len(flags(only_l2)) == 7
    nothing = adversarial.measure(attacked(twin, path, profile=Profile(name="t", radii=(), l2_radii=())))
    assert [(s.claim.key, s.value) for s in nothing.statements] == [("attack_flags", None)]


def test_a_network_that_draws_raises_a_flag(sealed, attacked) -> None:
    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = linear()

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.network(images + 0.01 * torch.rand_like(images))
            return logits

    _, path = sealed(linear())

    assert "the network answers the same pictures differently" in red(attacked(recognizer(Drawing()), path))


def test_hidden_gradients_raise_flags_and_do_not_hide_from_questions(sealed, attacked) -> None:
    twin, path = sealed(Masking(linear()))
    one = attacked(twin, path, level=replace(LEVEL, queries=200))
    found, broken = red(one), robust(one)["robust_linf_8"].details["broken_by"]

    assert "the gradient vanishes for more than 1 % of pictures" in found
    assert "asking breaks 1 point that following gradients left" in found
    assert "noise breaks as much as following gradients" in found
    assert broken["square"] > broken["apgd-ce"]


def test_an_attack_that_reaches_nothing_raises_a_flag(sealed, attacked) -> None:
    """A file that is right whatever is done to it, or a network that has nothing to do with it."""
    _, path = sealed(linear())
    other = linear()
    with torch.no_grad():
        other[1].weight.copy_(0.001 * torch.randn(other[1].weight.shape, generator=torch.Generator()))
    one = attacked(recognizer(other), path, level=replace(LEVEL, queries=1))

    assert "an attack without limit leaves more than chance" in red(one)


def test_too_few_steps_raise_a_flag(sealed, attacked, monkeypatch) -> None:
    """Attacks that stand still for so many steps are found out by twice as many."""

    def slow(attack):
        def run(logits, images, labels, *, ball, steps, generator, **more):
            if steps <= LEVEL.steps:
                return images
            return attack(logits, images, labels, ball=ball, steps=steps, generator=generator, **more)

        return run

    one = attacked(
        *sealed(linear()), level=replace(LEVEL, queries=1), profile=Profile(name="t", radii=(8.0,))
    )
    for module, name in ((apgd_ce, "apgd_ce"), (apgd_dlr, "apgd_dlr")):
        monkeypatch.setattr(module, name, slow(getattr(module, name)))

    assert "twice the steps break 1 point more" in red(one)


def test_signs_go_on_for_as_long_as_the_attacks_did_in_the_end(sealed, attacked, monkeypatch) -> None:
    """Where the network differs from the file more on attacked pictures, attacks raise what they ask for."""
    asked: list[tuple[int, float]] = []

    def listening(attack):
        def run(logits, images, labels, *, steps, clear, **more):
            asked.append((steps, clear))
            return attack(logits, images, labels, steps=steps, clear=clear, **more)

        return run

    _, path = sealed(linear())
    images, labels = pictures(200, seed=2)
    sides = np.arange(SIDE) < SIDE // 2
    images[:40] = np.where(sides == (labels[:40, None] == 0), 255, 0)[:, None, :, None]  # these withstand it
    outputs = Predictor.open(path, threads=1).run(images)
    held_out = HeldOut(labels, [f"{k}.png" for k in range(200)], lambda place: images[place])
    one = attacked(
        recognizer(Surer(linear())),
        path,
        test=Answered(held_out, outputs.probabilities, outputs.logits),
        profile=Profile(name="t", radii=(40.0,), l2_radii=()),
    )
    for module, name in ((apgd_ce, "apgd_ce"), (apgd_dlr, "apgd_dlr")):
        monkeypatch.setattr(module, name, listening(getattr(module, name)))

    flags(one)

    usual = [clear for steps, clear in asked if steps == LEVEL.steps]
    twice = [clear for steps, clear in asked if steps == 2 * LEVEL.steps]
    assert usual[0] < max(usual), "the case that this is about"
    assert twice
    assert set(twice) == {max(usual)}
