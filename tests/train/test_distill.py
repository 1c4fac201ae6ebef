"""Distillation: a student follows a teacher, and what that may not touch."""

import copy

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.train import checkpoint, matching
from foveal.train.fake_quantization import FOUR_BITS_END, FakeQuantization, rounded_weight
from foveal.train.loop import fetch, fit
from foveal.train.matching.dist import dist
from foveal.train.matching.logits import logits
from foveal.train.objectives.distill import Distill, Teaching

MEASURES = catalog.names(matching)


@pytest.fixture
def teacher(supervised, examples, plan):
    learner = supervised(plan)
    trained = fit(learner, examples, plan)
    learner.network.load_state_dict(trained.weights)
    return learner.network.eval()


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 5, generator=generator), torch.randn(16, 5, generator=generator)


@pytest.mark.parametrize("name", MEASURES)
class TestEveryMeasure:
    def test_it_is_0_where_both_answer_alike_and_more_elsewhere(self, name, answers) -> None:
        one, other = answers
        measure = catalog.find(matching, name)

        assert measure(one, one, temperature=2.0).item() == pytest.approx(0, abs=1e-5)
        assert measure(other, one, temperature=2.0).item() > 0.1

    def test_a_constant_added_to_all_logits_of_an_image_changes_nothing(self, name, answers) -> None:
        one, other = answers
        measure = catalog.find(matching, name)

        moved = measure(one + 7.0, other, temperature=3.0)
        torch.testing.assert_close(moved, measure(one, other, temperature=3.0))

    def test_its_gradient_leads_the_student_to_the_teacher(self, name, answers) -> None:
        one, other = answers
        measure = catalog.find(matching, name)
        student = one.clone().requires_grad_()
        before = measure(student, other, temperature=2.0)
        before.backward()

        after = measure(student.detach() - 0.05 * student.grad, other, temperature=2.0)
        assert after < before


def test_logits_measure_the_divergence_of_the_softened_shares(answers) -> None:
    one, other = answers
    student, taught = Categorical(logits=one / 4), Categorical(logits=other / 4)

    found = logits(one, other, temperature=4.0)
    torch.testing.assert_close(found, 16 * kl_divergence(taught, student).mean())


def test_the_order_of_preference_is_all_that_dist_asks_for() -> None:
    taught = torch.tensor([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]])
    flatter = 0.1 * taught  # the same order, and shares that are linear in it to first order

    assert dist(flatter, taught, temperature=1.0) < 0.1 * dist(-taught, taught, temperature=1.0)
    assert logits(flatter, taught, temperature=1.0) > 0.1


class TestStudent:
    def objective(self, supervised, plan, teacher, **teaching):
        return Distill(supervised(plan), teacher, Teaching(**teaching))

    def test_it_comes_to_answer_as_its_teacher_without_any_label(
        self, supervised, examples, plan, teacher
    ) -> None:
        longer = plan.model_copy(update={"steps": 60, "augmentation": {}, "seed": 5})
        student = self.objective(supervised, longer, teacher, labels_share=0.0)
        hidden = examples.__class__(examples.images, 0 * examples.labels, examples.indices)
        images = student.views(fetch(hidden, longer, 0))[0]
        with torch.no_grad():
            wanted = teacher(images).softmax(1)
            before = (student.network.eval()(images).softmax(1) - wanted).abs().mean()

        trained = fit(student, hidden, longer)

        student.network.load_state_dict(trained.weights)
        with torch.no_grad():
            after = (student.network.eval()(images).softmax(1) - wanted).abs().mean()
        assert after < 0.5 * before

    def test_the_teacher_is_neither_changed_nor_saved(
        self, supervised, examples, plan, teacher, tmp_path
    ) -> None:
        before = copy.deepcopy(teacher.state_dict())
        student = self.objective(supervised, plan.model_copy(update={"seed": 3}), teacher)

        fit(student, examples, plan.model_copy(update={"seed": 3}), checkpoints=tmp_path)

        assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
        saved = checkpoint.latest(tmp_path, plan=plan.model_copy(update={"seed": 3}).digest)
        own = set(student.network.state_dict())
        assert {name.removeprefix("network.") for name in saved.part("objective")} == own

    def test_what_has_to_stay_0_does(self, supervised, examples, plan, teacher) -> None:
        learner = supervised(plan)
        name, weight = next(
            (n, p) for n, p in learner.network.named_parameters() if n.endswith("enter.weight")
        )
        kept = torch.rand(weight.shape, generator=torch.Generator().manual_seed(1)) > 0.5
        with torch.no_grad():
            weight.mul_(kept)
        student = Distill(learner, teacher, Teaching(kept={name: kept}))

        fit(student, examples, plan)

        assert (weight[~kept] == 0).all()
        assert (weight[kept] != 0).all()

    @pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"labels_share": 1.5}, {"labels_share": -0.1}])
    def test_what_cannot_be_taught_is_refused(self, wrong) -> None:
        with pytest.raises(UsageError):
            Teaching(**wrong)


class TestRounding:
    def test_a_weight_is_a_whole_multiple_of_its_channels_step(self) -> None:
        weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0)) * 3
        steps = weight.abs().flatten(1).amax(1) / 127

        rounded = rounded_weight(weight)

        multiples = rounded.flatten(1) / steps[:, None]
        torch.testing.assert_close(multiples, multiples.round(), atol=1e-3, rtol=0)
        assert ((rounded - weight).abs().flatten(1) <= 0.5 * steps[:, None] + 1e-6).all()

    def test_four_bits_are_fifteen_levels_and_cut_off_what_is_far_out(self) -> None:
        weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
        weight[:, 0, 0, 0] = 20
        step = FOUR_BITS_END / 7 * weight.flatten(1).square().mean(1).sqrt()

        multiples = rounded_weight(weight, 4).flatten(1) / step[:, None]

        torch.testing.assert_close(multiples, multiples.round(), atol=1e-3, rtol=0)
        assert multiples.abs().max().round() == 7
        inside = weight.flatten(1).abs() <= 7 * step[:, None]
        error = (rounded_weight(weight, 4) - weight).flatten(1).abs()
        assert (error <= 0.5001 * step[:, None])[inside].all()

    @pytest.mark.parametrize("bits", [8, 4])
    def test_rounding_after_a_channel_is_scaled_is_scaling_what_was_rounded(self, bits) -> None:
        weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
        scale = torch.tensor([0.1, 0.5, 1.0, 2.0, 7.0, 30.0]).view(6, 1, 1, 1)

        torch.testing.assert_close(rounded_weight(weight * scale, bits), rounded_weight(weight, bits) * scale)

    def test_the_network_gets_gradients_and_keeps_no_trace(self, supervised, examples, plan, teacher) -> None:
        plain = supervised(plan)
        names = set(plain.network.state_dict())
        student = Distill(plain, teacher, Teaching(bits=8))
        images = student.views(fetch(examples, plan, 0))[0]

        rounded = student.rounding(images)
        rounded.sum().backward()

        learned = [p for p in student.network.parameters() if p.requires_grad]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in learned)
        assert set(student.deployable().state_dict()) == names
        assert not any(module._forward_pre_hooks for module in student.network.modules())

    def test_many_levels_change_little_and_few_would_change_much(self, supervised, examples, plan) -> None:
        learner = supervised(plan)
        images = learner.views(fetch(examples, plan, 0))[0]
        rounding = FakeQuantization(learner.network)
        learner.network.eval()
        with torch.no_grad():
            exact, rounded = learner.network(images), rounding(images)

        error = (rounded - exact).abs().max()
        assert 0 < error < 0.1 * exact.abs().max()

    def test_ranges_stay_once_training_is_over(self, supervised, examples, plan) -> None:
        learner = supervised(plan)
        images = learner.views(fetch(examples, plan, 0))[0]
        rounding = FakeQuantization(learner.network)
        rounding(images)
        before = rounding.ranges.clone()

        rounding.eval()(10 * images)

        assert torch.equal(rounding.ranges, before)
