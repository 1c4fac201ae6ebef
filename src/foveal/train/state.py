"""All that changes while a network trains, and how one step changes it."""

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from foveal.core.errors import DataError, UsageError
from foveal.train import checkpoint, ranks
from foveal.train.average import Average
from foveal.train.objective import Batch, Objective
from foveal.train.optimizer import MuonSgd
from foveal.train.plan import Plan
from foveal.train.schedule import learning_rate

_ROWS = 100  # points of the learning curve
_MOMENTUM = {
    "velocity": "momentum",
    "square": "square",
}  # what the optimizer keeps, and its name in checkpoints


class State:
    """Weights, momentum, average, learning curve and the number of steps done.

    Raises:
        UsageError: `too_many_ranks`: a batch has no picture for one of them.
    """

    def __init__(self, objective: Objective, plan: Plan) -> None:
        self.team = ranks.here()
        if plan.batch_size < self.team.size:
            raise UsageError(
                f"{self.team.size} ranks cannot share batches of {plan.batch_size}",
                code="too_many_ranks",
                hint="start fewer ranks, or give a larger batch_size in a recipe",
            )
        self.team.start_alike(objective)
        self.objective = objective
        self.plan = plan
        dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
        self.optimizer = MuonSgd(objective.parameter_groups(plan), dtype=dtype)
        self.average = Average(objective.deployable(), horizon=plan.ema_share * plan.steps)
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._loss, self._correct = torch.zeros(()), torch.zeros(())
        self._counted = self._summed = 0

    def advance(self, batch: Batch) -> float:
        """Do one optimizer step and return its loss.

        Raises:
            DataError: `diverged`: the loss is no longer finite; the weights are as they were.
        """
        rate = learning_rate(batch.share, peak=self.plan.learning_rate, warm_up=self.plan.warm_up_share)
        for group in self.optimizer.param_groups:
            group["lr"], group["step"] = rate * group["rate"], self.step + 1
        part = self.team.part(len(batch.labels))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.precision == "bf16"):
            losses = self.objective(replace(batch, part=part))
        weighted = losses.loss * ((part.stop - part.start) / len(batch.labels))
        loss, correct, counted = self.team.total(
            [float(weighted.detach()), float(losses.correct), losses.counted]
        )
        if not math.isfinite(loss):
            raise DataError(
                f"the loss is {loss} at step {self.step}: training diverged",
                code="diverged",
                hint="lower the learning rate in a recipe, or train with precision = 'fp32'",
            )
        weighted.backward()
        self.team.add_gradients(self.objective.parameters())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.average.update(self.step)
        self.objective.after_step(batch.share)
        self._loss += loss
        self._correct += correct
        self._counted += int(counted)
        self._summed += 1
        if self.step % max(1, self.plan.steps // _ROWS) == 0 or self.step == self.plan.steps:
            self._add_row(rate)
        return loss

    def _add_row(self, rate: float) -> None:
        loss = float(self._loss) / self._summed
        seen = self.step * self.plan.batch_size
        self.history.append(
            {
                "step": self.step,
                "seen": seen,
                "epoch": round(seen / self.plan.images, 4),
                "loss": loss,
                "accuracy": float(self._correct) / self._counted if self._counted else 0.0,
                "learning_rate": rate,
            }
        )
        self._loss.zero_()
        self._correct.zero_()
        self._counted = self._summed = 0

    def note(self) -> str:
        """Return where training stands, for people."""
        if not self.history:
            return ""
        row = self.history[-1]
        return f"epoch {int(row['epoch'])}/{self.plan.epochs:.0f} loss {row['loss']:.3f}"

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""
        tensors = {f"objective.{name}": t for name, t in self.objective.state_dict().items()}
        tensors |= {f"average.{name}": t for name, t in self.average.weights().items()}
        tensors |= self._momentum()
        tensors |= {"curve.loss": self._loss.clone(), "curve.correct": self._correct.clone()}
        about = {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "history": self.history,
            "counted": self._counted,
            "summed": self._summed,
        }
        checkpoint.save(folder, tensors=tensors, about=about, plan=self.plan.digest)

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Become what was saved, to the bit.

        Raises:
            DataError: `other_network`: it was saved from a network with other parameters.
        """
        part = {name: saved.part(name) for name in ("objective", "average", "curve", *_MOMENTUM.values())}
        try:
            self.objective.load_state_dict(part["objective"])
        except RuntimeError as error:
            raise DataError(
                f"the checkpoint is of another network: {self.plan.model} has changed since",
                code="other_network",
                hint="train anew, or go on with the version of foveal that the run's env.json names",
            ) from error
        self.average.load(part["average"])
        for name, parameter in self.objective.named_parameters():
            for kind, kept in _MOMENTUM.items():
                if name in part[kept]:
                    self.optimizer.state[parameter][kind] = part[kept][name]
        self._loss, self._correct = part["curve"]["loss"], part["curve"]["correct"]
        about = saved.about
        self.step, self.seconds, self.history = about["step"], about["seconds"], about["history"]
        self._counted, self._summed = about["counted"], about["summed"]

    def _momentum(self) -> dict[str, Tensor]:
        names = {id(p): name for name, p in self.objective.named_parameters()}
        return {
            f"{_MOMENTUM[kind]}.{names[id(parameter)]}": tensor
            for parameter, kept in self.optimizer.state.items()
            for kind, tensor in kept.items()
        }
