"""A finished run to be made smaller: labelled pictures with the roles that the training gave them."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.progress import Progress
from foveal.core.task import SCENE_TASKS
from foveal.data import opening
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._finished_run import data_of, prepared_again
from foveal.flows._optimize_scenes import scene_roles, scenes_on_test
from foveal.flows._optimize_setup import Setup, halves
from foveal.flows._optimize_sizes import Sizes
from foveal.flows._prepare import Prepared
from foveal.optimize.labels import Pictures, answers
from foveal.optimize.lessons import Learning
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Roles, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.plan import Plan, read_plan
from foveal.train.planning import most_clips

_CAREFUL_BATCH = 128


@dataclass(frozen=True)
class OfRun:
    """A run with its data.

    Attributes:
        run: The folder.
        original: Its bundle.
        data: Where its data are now.
    """

    run: Path
    original: Path
    data: Path
    trains: bool = True

    @classmethod
    def find(cls, run: Path, data: str | Path | None) -> "OfRun":
        """Return a finished run and its data.

        Args:
            run: The folder.
            data: The data of the run, wherever they are now; None: where the run found them.

        Raises:
            NotFoundError: No finished run, or no data there.
        """
        original = locate(run).resolve()
        return cls(run, original, data_of(run, data, again=f"foveal optimize {run} DATA"))

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.run.resolve().name

    @property
    def only_read(self) -> list[Path]:
        """The run's folder, and where the data are."""
        return [self.run, *opening.places(self.data)]

    @property
    def asked(self) -> dict[str, Any]:
        """Nothing: the data are those of the run."""
        return {}

    def setup(self, out: Path, *, train: bool, seed: int, progress: Progress) -> Setup:
        """Return the run's pictures with their roles; see `Material`."""
        recognizer = recognizers.load(self.run / "model")
        threads = machine.usable_cpus()
        prepared = prepared_again(self.run, self.data, recognizer, out, threads=threads, progress=progress)
        if recognizer.task in SCENE_TASKS:
            manifest = archive.read(self.original).manifest
            divided = partial(scene_roles, manifest=manifest, seed=seed)
            sizes = Sizes(prepared, out, divided, threads)
            return Setup(
                replace(divided(prepared), resizing=sizes),
                prove=partial(scenes_on_test, sizes),
                network=recognizer,
            )
        sizes = Sizes(prepared, out, partial(_roles, seed=seed), threads)
        return Setup(
            replace(_roles(prepared, seed=seed), resizing=sizes),
            prove=partial(_measured_on_test, sizes),
            learning=_learning(self.run, _thawed(recognizer), seed) if train else None,
        )


def _roles(prepared: Prepared, *, seed: int) -> Roles:
    """Divide the calib pictures: one half chooses, the other half calibrates what was chosen.

    The test part is looked at once, at the end. See docs/decisions/0021-optimize.md.
    """
    choosing, calibrating = halves(prepared, seed=seed)
    calib = prepared.examples("calib")
    pictures = Pictures.of(calib.labels[choosing], labelled=True, units=prepared.split.units[choosing])
    return Roles(
        chosen_on=np.asarray(calib.images[choosing]),
        pictures=pictures,
        calibrating=replace(calib, indices=calibrating),
        learning=prepared.examples("fit"),
        seed=seed,
    )


def _thawed(recognizer: Recognizer) -> Recognizer:
    """Return the recognizer with a backbone that learns: students made from it have to mend what was cut."""
    if recognizer.arguments.get("start") != "frozen":
        return recognizer
    arguments = {**recognizer.arguments, "start": "transfer"}
    made = replace(recognizer, network=recognizers.build(recognizer.architecture, arguments))
    return replace(made, arguments=arguments).with_weights(recognizer.network.state_dict())


def _learning(run: Path, teacher: Recognizer, seed: int) -> Learning:
    """Return how students are taught: as their teacher was."""
    plan = read_plan(run / "plan.json")
    if not isinstance(plan, Plan):
        return Learning(teacher, {}, _CAREFUL_BATCH, "fp32", seed)
    batch, clip = plan.batch_size, teacher.preprocess.clip
    if clip is not None:  # a frozen backbone's features came in larger batches than frames can
        batch = min(batch, most_clips(clip.frames, teacher.preprocess.size))
    return Learning(teacher, plan.augmentation, batch, plan.precision, seed)


def _measured_on_test(sizes: Sizes, shop: Workshop, chosen: Variant, original: Variant) -> dict[str, Any]:
    """Measure what is recommended on the test part, and compare it with the original.

    Each is given the pictures at its own size.
    """
    size = shop.read(shop.path(chosen)).manifest.preprocess.size
    prepared = sizes.at([size], shop.progress)[size]
    split, store = prepared.split, prepared.store
    held_out = HeldOut.of_images(store.images, store.labels, prepared.dataset.sources, split.test)
    units = split.units[split.test]
    held_out = replace(held_out, fingerprint=split.fingerprint, split_seed=split.seed, units=units)
    way = chosen.speed.way
    predictor = Predictor.open(shop.path(chosen), engine=way.engine, precision=way.precision, threads=1)
    found = report(predictor, held_out, seed=split.seed, threads=shop.threads, progress=shop.progress)
    found = replace(found, provenance={**found.provenance, "images_per_second": None})
    truth = store.labels[split.test]
    before = answers(shop.original, original.speed.way, sizes.prepared.store.images[split.test])
    after = answers(shop.path(chosen), way, store.images[split.test])
    pictures = Pictures.of(truth, labelled=True, units=units)
    return {
        "images": len(truth),
        "role": "test part",
        "independent": int(pictures.independent),
        "accuracy": pictures.accuracy(after).as_json(),
        "original_accuracy": pictures.accuracy(before).as_json(),
        "drop": pictures.drop(before, after).as_json(),
        "agreement": float((before == after).mean()),
        "report": found.without_names().as_json(),
    }
