"""Ask a server for answers, from Python and with nothing but the standard library.

    python examples/ask_a_server.py OUT

Trains a small recognizer on the handwritten digits that come with scikit-learn, serves it from a process of
its own, asks it with the client of foveal, and then as any program in any language would.
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import foveal
from foveal.bundle.predictor import Unreadable
from foveal.flows.demo import lay_out
from foveal.serve.client import Client
from foveal.train import Recipe


def recognizer(out: Path) -> Path:
    """Return a bundle; a real one comes from `foveal train`."""
    data = lay_out("digits", out / "digits")
    recipe = Recipe(model="nano", size=16, epochs=6, threads=1)
    bundle = foveal.learn(data, recipe=recipe, out=out / "run", force=True).bundle
    if bundle is None:
        raise SystemExit("the exported network does not answer as the trained one")
    return bundle


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    bundle = recognizer(out)
    pictures = sorted((out / "digits").rglob("*.png"))[::700]
    command = [sys.executable, "-m", "foveal", "serve", str(bundle), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        url = json.loads(server.stdout.readline())["url"]  # it has said that it is ready
        ask(url, pictures, out / "missing.png")
        as_any_program_does(url, pictures[0])
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def ask(url: str, pictures: list[Path], missing: Path) -> None:
    with Client(url, patience=2.0) as client:  # a busy server may make us wait for two seconds, once
        print("ready:", client.ready(), "with", ", ".join(model.name for model in client.models()))
        for answer in client.predict([*pictures, missing]):
            if isinstance(answer, Unreadable):
                print(f"{Path(answer.source).name}: {answer.error.code}")
            elif answer.abstain:
                print(f"{Path(answer.source).name}: not sure, perhaps {answer.label}")
            else:
                print(f"{Path(answer.source).name}: {answer.label}, {answer.confidence:.0%}")


def as_any_program_does(url: str, picture: Path) -> None:
    headers = {"Content-Type": "image/png"}
    request = urllib.request.Request(f"{url}/v1/predict", picture.read_bytes(), headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request) as response:
        [answer] = json.load(response)["predictions"]
    print("without any client:", answer["label"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
