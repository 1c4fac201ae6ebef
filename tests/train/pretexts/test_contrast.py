"""SimCLR and MoCo: their losses against formulas and another implementation, and what gives them away."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from foveal.train.pretexts.moco import info_nce
from foveal.train.pretexts.simclr import nt_xent


@pytest.fixture
def outputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 8, generator=generator), torch.randn(16, 8, generator=generator)


@pytest.fixture
def other_losses(monkeypatch):
    """Another implementation; it would ask the network for its newest version."""
    monkeypatch.setenv("LIGHTLY_DID_VERSION_CHECK", "True")
    return pytest.importorskip(
        "lightly.loss", reason="make .venv/.dev installs it without what it depends on"
    )


class TestNtXent:
    @pytest.mark.parametrize("temperature", [0.1, 0.5])
    def test_it_equals_another_implementation(self, temperature, outputs, other_losses) -> None:
        theirs = other_losses.NTXentLoss(temperature=temperature)(*outputs)
        torch.testing.assert_close(
            nt_xent(*outputs, temperature=temperature)[0], theirs, rtol=1e-6, atol=1e-6
        )

    def test_where_all_is_alike_it_is_the_log_of_the_number_of_others(self) -> None:
        loss, _ = nt_xent(torch.ones(16, 8), torch.ones(16, 8), temperature=0.2)
        assert loss.item() == pytest.approx(math.log(31), abs=1e-5)

    def test_orthogonal_pictures_have_a_closed_form(self) -> None:
        loss, found = nt_xent(torch.eye(6), 3 * torch.eye(6), temperature=0.5)
        # One other view at cosine 1, ten views of other pictures at cosine 0.
        assert loss.item() == pytest.approx(-math.log(math.e**2 / (math.e**2 + 10)), abs=1e-5)
        assert found == 12

    def test_a_view_is_not_compared_with_itself(self) -> None:
        # With itself in the sum, orthogonal views of one picture could never come near loss 0.
        views = torch.eye(4), torch.eye(4)
        assert nt_xent(*views, temperature=0.01)[0].item() == pytest.approx(0, abs=1e-6)

    def test_both_views_get_a_gradient(self, outputs) -> None:
        first, second = (one.clone().requires_grad_() for one in outputs)
        nt_xent(first, second, temperature=0.2)[0].backward()
        assert all(bool((one.grad.abs().sum(dim=1) > 0).all()) for one in (first, second))

    def test_neither_order_nor_side_nor_length_matters(self, outputs) -> None:
        first, second = outputs
        loss = nt_xent(first, second, temperature=0.2)[0]
        order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
        for one, other in ((first[order], second[order]), (second, first), (5 * first, 0.1 * second)):
            torch.testing.assert_close(nt_xent(one, other, temperature=0.2)[0], loss)


class TestInfoNce:
    def test_it_equals_another_implementation_with_a_memory(self, outputs, other_losses) -> None:
        queries, keys = (F.normalize(one, dim=1) for one in outputs)
        theirs = other_losses.NTXentLoss(temperature=0.2, memory_bank_size=(32, 8))
        theirs(torch.randn(16, 8), torch.randn(16, 8))
        bank = theirs.memory_bank.bank.clone()
        queue = bank.T if bank.shape[0] == 8 else bank
        ours, _ = info_nce(queries, keys, queue, temperature=0.2)
        torch.testing.assert_close(ours, theirs(*outputs), rtol=1e-6, atol=1e-6)

    def test_its_own_key_first_is_found(self) -> None:
        eye = torch.eye(8)
        loss, found = info_nce(eye[:3], eye[:3], eye[4:], temperature=0.1)
        assert found == 3
        assert loss.item() == pytest.approx(math.log(1 + 4 * math.exp(-10)), abs=1e-6)


class TestMoco:
    def test_the_network_of_the_keys_gets_no_gradient_and_follows(self, started, batch) -> None:
        objective = started("moco", momentum=0.9).train()
        objective(batch()).loss.backward()
        assert all(p.grad is None for p in objective.key_network.parameters())
        assert any(p.grad is not None for p in objective.network.parameters())

        before = copy.deepcopy(objective.key_network)
        with torch.no_grad():
            for p in objective.network.parameters():
                p.add_(1.0)
        objective.after_step(0.5)
        for old, now, ahead in zip(
            before.parameters(),
            objective.key_network.parameters(),
            objective.network.parameters(),
            strict=True,
        ):
            torch.testing.assert_close(now, 0.9 * old + 0.1 * ahead, rtol=0, atol=1e-6)

    def test_the_queue_holds_earlier_batches_only_and_wraps(self, started, batch) -> None:
        objective = started("moco", queue=40).train()
        empty = objective.queue.clone()
        objective(batch(32))
        assert torch.equal(objective.queue, empty)  # not yet: a query must not meet its own key as another
        objective.after_step(0.0)
        first = objective.queue.clone()
        assert objective.place == 32
        assert torch.equal(first[32:], empty[32:])
        objective(batch(32, seed=1))
        objective.after_step(0.1)
        assert objective.place == 24  # 64 mod 40
        assert torch.equal(objective.queue[24:32], first[24:32])  # the oldest went first
        assert not torch.equal(objective.queue[:24], first[:24])
        torch.testing.assert_close(objective.queue.norm(dim=1), torch.ones(40))

    def test_keys_are_normalized_in_groups_that_queries_are_not(self, started, batch) -> None:
        one, several = started("moco", groups=1).train(), started("moco", groups=4).train()
        several.load_state_dict(one.state_dict())
        views = one.views(batch())[1]
        together = one._answered(views, torch.Generator().manual_seed(0))
        apart = several._answered(views, torch.Generator().manual_seed(0))
        assert not torch.allclose(together, apart)
        # Each key stands beside the query of its own picture, however they were shuffled.
        direct = F.normalize(one.key_project(one.key_network(views)), dim=1)
        torch.testing.assert_close(together, direct, rtol=1e-4, atol=1e-5)
        nearest = (apart @ direct.T).argmax(dim=1)
        assert (nearest == torch.arange(32)).float().mean() > 0.5
