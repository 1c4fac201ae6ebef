"""Lessons that are taught elsewhere end in the bits that they would have ended in here."""

import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foveal import models
from foveal.backends.local import local
from foveal.core.progress import silent
from foveal.core.work import Receipt
from foveal.data.preprocess import Preprocess
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate
from foveal.optimize.given_out import teach_at_once
from foveal.optimize.labels import Pictures
from foveal.optimize.lessons import SHORT, Assignment, Learning
from foveal.optimize.workshop import Roles, Workshop
from foveal.tasks.recognizer import Recognizer
from foveal.train.checkpoint import latest
from foveal.train.examples import Examples
from foveal.train.plan import read_plan

CLASSES = ("a", "b", "c")


def network(seed):
    torch.manual_seed(seed)
    arguments = {"channels": 3, "classes": 3, "size": 16}
    preprocess = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Recognizer(models.architecture("nano").build(**arguments), "nano", arguments, preprocess, CLASSES)


@pytest.fixture
def search(tmp_path, bundle):
    """Return a workshop, what is learned, and two candidates; the pictures lie in a file."""
    rng = np.random.default_rng(0)
    pixels = tmp_path / "pixels.npy"
    np.save(pixels, rng.integers(0, 255, (64, 16, 16, 3), dtype=np.uint8))
    images = np.load(pixels, mmap_mode="r")
    labels = rng.integers(0, 3, 64)
    learned = Examples(images, labels, np.arange(48))
    roles = Roles(np.asarray(images[48:]), Pictures.of(labels[48:], labelled=True), learning=learned)
    folder = tmp_path / "search"
    folder.mkdir()
    shop = Workshop(folder, bundle, roles, Budget(drop=0.1, seconds=60.0), ways=[], progress=silent)
    shop._sized = {16: roles}
    learning = Learning(network(0), {"flip": 1.0, "cutmix": 1.0}, 16, "fp32", 0)
    candidates = [
        Candidate(f"c{seed}", ("none",), lambda seed=seed: network(seed), 1, 1, 1.0, "nano", True)
        for seed in (1, 2)
    ]
    return shop, learning, candidates


def opened():
    @contextmanager
    def hands():
        backend = local()
        try:
            yield backend, 2
        finally:
            backend.close()

    return hands


def weights(shop, name):
    return (shop.place_of(name) / "model" / "weights.safetensors").read_bytes()


def test_they_end_in_the_same_bits_and_no_step_is_left_to_do_here(search, tmp_path):
    shop, learning, candidates = search
    teach_at_once(shop, learning, candidates, seconds=1.0, hands=opened())
    for candidate in candidates:
        one = Assignment(shop, learning, candidate, SHORT)
        folder = shop.place_of(one.name)
        plan = read_plan(folder / "plan.json")
        saved = latest(folder / "checkpoints", plan=plan.digest)
        assert saved.about["step"] == plan.steps
        assert not (folder / "given").exists()
        one.teach(1.0)
        elsewhere = weights(shop, one.name)
        shutil.rmtree(folder / "checkpoints")
        shutil.rmtree(folder / "model")

        one.teach(1.0)  # by the same plan, here

        assert weights(shop, one.name) == elsewhere
    assert weights(shop, "c1-short") != weights(shop, "c2-short")


def test_a_lesson_that_was_lost_is_taught_here(search):
    shop, learning, candidates = search

    class Losing:
        def map(self, tasks, *, workers):
            for task in tasks:
                yield Receipt(task.key, "lost", 3, "nowhere:1")

    @contextmanager
    def hands():
        yield Losing(), 2

    teach_at_once(shop, learning, candidates[:1], seconds=0.5, hands=hands)
    one = Assignment(shop, learning, candidates[0], SHORT)
    one.teach(0.5)

    assert one.taught.is_dir()


def test_what_was_taught_is_not_given_out_again(search):
    shop, learning, candidates = search
    for candidate in candidates:
        one = Assignment(shop, learning, candidate, SHORT)
        shop.carry_out(f"{one.name}: teach", {}, lambda: [])

    asked = []

    @contextmanager
    def hands():
        asked.append("a backend")
        yield local(), 1

    teach_at_once(shop, learning, candidates, seconds=0.5, hands=hands)

    assert asked == []


def test_pictures_that_are_in_no_file_are_not_given_out(search):
    shop, learning, candidates = search
    held = shop.roles.learning
    shop._sized = {16: replace(shop.roles, learning=replace(held, images=np.array(held.images)))}

    def hands():
        raise AssertionError("nobody is needed")

    teach_at_once(shop, learning, candidates, seconds=0.5, hands=hands)
    assert not list(Path(shop.folder).glob("variants/*/given"))
