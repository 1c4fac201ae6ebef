"""Few-shot learning on Omniglot: learn from the background characters, measure on alphabets never seen.

For each method and seed this runs

    foveal fewshot train BACKGROUND --method METHOD --held-out 0 --seed SEED --threads THREADS
    foveal fewshot evaluate RUN EVALUATION --way W --shot K --episodes 1000 --transductive

for 5-way 1-shot, 5-way 5-shot and 20-way 1-shot, and prints a row of each. A run that is there is gone on
with, or, where it is finished, only measured.

    python benchmarks/fewshot.py BACKGROUND.npz EVALUATION.npz OUT [--methods prototypes,maml] [--seeds 0]
"""

import argparse
import json
from pathlib import Path

from foveal.flows import fewshot_evaluate, fewshot_train
from foveal.flows.fewshot_evaluate import Wanted
from foveal.train.episodic._recipe import FewshotRecipe

TASKS = ((5, 1), (5, 5), (20, 1))
# Way and shot → least accuracy over 1,000 tasks.
TARGETS = {
    "prototypes": {(5, 1): 0.95, (5, 5): 0.985, (20, 1): 0.86},
    "maml": {(5, 1): 0.93},
}


def learned(data: Path, out: Path, recipe: FewshotRecipe) -> dict:
    """Return the document of a training, which is done as far as it is not done yet."""
    metrics = out / "metrics.json"
    if metrics.is_file():
        return json.loads(metrics.read_text(encoding="utf-8"))
    if (out / "recipe.toml").is_file():
        return fewshot_train.resume(out, data).document
    return fewshot_train.train(data, recipe=recipe, out=out).document


def shown(share: dict) -> str:
    return f"{share['value']:.4f} ({share['low']:.4f} to {share['high']:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("background", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", default="prototypes,maml,anil")
    parser.add_argument("--seeds", default="0", help="such as 0,1,2")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    for method in asked.methods.split(","):
        for seed in map(int, asked.seeds.split(",")):
            run = asked.out / f"{method}-{seed}"
            recipe = FewshotRecipe(method=method, held_out=0.0, seed=seed, threads=asked.threads)
            document = learned(asked.background, run, recipe)
            print(f"{document['name']}, seed {seed}: {document['train_seconds']:.0f} s")
            for way, shot in TASKS:
                wanted = Wanted(way, shot, episodes=asked.episodes, transductive=True, threads=asked.threads)
                found = fewshot_evaluate.evaluate(run, asked.evaluation, wanted=wanted)["metrics"]
                target = TARGETS.get(method, {}).get((way, shot))
                verdict = "" if target is None else f"; target {target}: "
                verdict += (
                    "" if target is None else ("met" if found["accuracy"]["value"] >= target else "missed")
                )
                beside = {name: one["value"] for name, one in found["baselines"].items() if name != "chance"}
                print(
                    f"  {way}-way {shot}-shot {shown(found['accuracy'])}, transductive "
                    f"{shown(found['transductive'])}, inner steps {found['inner_steps']}, {beside}{verdict}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
