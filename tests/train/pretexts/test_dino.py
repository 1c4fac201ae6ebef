"""DINO: its loss against a formula and another implementation; what the teacher sees, and how it moves."""

import pytest
import torch
import torch.nn.functional as F

from foveal import models
from foveal.train.pretexts._pretext import side_taken
from foveal.train.pretexts._teacher import rising
from foveal.train.pretexts.dino import cross_view

TEMPERATURES = {"student_temperature": 0.1, "teacher_temperature": 0.05}


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    student = [torch.randn(16, 8, generator=generator) for _ in range(4)]
    return student, [torch.randn(16, 8, generator=generator) for _ in range(2)], torch.linspace(-0.1, 0.1, 8)


def test_the_loss_equals_another_implementation(answers, monkeypatch) -> None:
    monkeypatch.setenv("LIGHTLY_DID_VERSION_CHECK", "True")
    loss = pytest.importorskip("lightly.loss")
    student, teacher, centre = answers
    theirs = loss.DINOLoss(output_dim=8, warmup_teacher_temp=0.05, teacher_temp=0.05, student_temp=0.1)
    for name, buffer in theirs.named_buffers():
        if "center" in name:
            buffer.copy_(centre.view_as(buffer))
    ours = cross_view(student, teacher, centre, **TEMPERATURES)
    torch.testing.assert_close(ours, theirs(teacher, student, epoch=0), rtol=1e-6, atol=1e-6)


def test_a_view_is_not_compared_with_itself(answers) -> None:
    _, teacher, centre = answers
    one = teacher[0]
    alone = cross_view([one, teacher[1]], [one], centre, **TEMPERATURES)
    told = F.softmax((one - centre) / 0.05, dim=1)
    by_hand = -(told * F.log_softmax(teacher[1] / 0.1, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(alone, by_hand)


def test_no_gradient_reaches_the_teacher(answers) -> None:
    student, teacher, centre = answers
    said, told = [one.requires_grad_() for one in student], [one.requires_grad_() for one in teacher]
    cross_view(said, told, centre, **TEMPERATURES).backward()
    assert all(one.grad is None for one in told)
    assert all(one.grad is not None for one in said)


def test_the_teacher_sees_wide_views_alone(started, batch) -> None:
    objective, seen = started("dino", local=3).train(), []
    objective.teacher.register_forward_hook(lambda _m, given, _o: seen.append(given[0].shape))
    first, second, *local = objective.views(batch())
    objective(batch())
    assert [tuple(shape) for shape in seen] == [(64, 3, 16, 16)]
    assert [one.shape[-1] for one in (first, second)] == [16, 16]
    assert [one.shape[-1] for one in local] == [objective.local_side] * 3


@pytest.mark.parametrize(("model", "side"), [("nano", 16), ("resnet20", 16), ("vit_tiny", 32)])
def test_small_views_are_small_where_the_network_takes_them(model, side) -> None:
    network = models.architecture(model).build(channels=3, classes=2, size=32).train()
    assert side_taken(network, channels=3, size=32, side=16) == side
    assert network.training


def test_the_centre_moves_towards_the_answers_and_is_kept(started, batch) -> None:
    objective = started("dino", centre=0.9).train()
    told = []
    objective.teacher_head.register_forward_hook(lambda _m, _g, output: told.append(output.detach().clone()))
    objective(batch())
    objective.after_step(0.0)
    torch.testing.assert_close(objective.centre, 0.1 * told[0].mean(dim=0))
    assert "centre" in objective.state_dict()


def test_the_teacher_follows_with_its_head(started, batch) -> None:
    objective = started("dino", momentum=0.9).train()
    objective(batch())
    pairs = (objective.teacher, objective.network), (objective.teacher_head, objective.head)
    with torch.no_grad():
        for _, ahead in pairs:
            for parameter in ahead.parameters():
                parameter.add_(1.0)
    before = [[p.clone() for p in behind.parameters()] for behind, _ in pairs]
    objective.after_step(0.5)  # halfway, 0.9 has risen to 0.95
    for (behind, ahead), old in zip(pairs, before, strict=True):
        for was, now, led in zip(old, behind.parameters(), ahead.parameters(), strict=True):
            torch.testing.assert_close(now, 0.95 * was + 0.05 * led, rtol=0, atol=1e-6)
            assert not now.requires_grad


def test_the_last_layer_stays_at_first(started, batch) -> None:
    objective = started("dino", frozen=0.1).train()
    objective(batch(share=0.05)).loss.backward()
    assert objective.head.last.grad is None
    objective(batch(share=0.2)).loss.backward()
    assert objective.head.last.grad is not None


def test_the_momentum_rises_to_one() -> None:
    shares = [rising(share, start=0.9) for share in (0.0, 0.25, 0.5, 1.0)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.9)
    assert shares[-1] == 1.0
