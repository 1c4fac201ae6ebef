"""What does a deep network cost at high resolution? Nothing is computed but the sum.

    python benchmarks/high_resolution.py [--model resnet101] [--sizes 224 512 1024]

Printed for each size are the multiply-adds of one picture, the weights, what all layers read and write, and
the maps that must be there at once; then the least time here, layer by layer, as `foveal models --cost` says.
"""

import argparse

from foveal.bundle.roofline import roofline
from foveal.core.machine import cpu_name, usable_cpus
from foveal.core.units import show_bytes, show_seconds
from foveal.flows.model_cost import bounds
from foveal.models._cost import cost

SIZES = (224, 256, 512, 1024, 2048, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="resnet101")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    here = roofline()
    print(f"{arguments.model}, one picture, fp32; {cpu_name()}, {usable_cpus()} processors")
    print(
        f"{'pixels':>6} {'G multiply-adds':>16} {'weights':>9} {'read+written':>13} {'at once':>9}  "
        "least time, precision/threads"
    )
    for size in arguments.sizes:
        found = cost(arguments.model, size=size, classes=arguments.classes)
        times = [
            f"{row['precision']}/{row['threads']} {show_seconds(row['layers_ms'] / 1e3)}"
            for row in bounds(found, here)
            if row["threads"] == usable_cpus()
        ]
        print(
            f"{size:>6} {found.macs / 1e9:>16,.2f} {show_bytes(found.weight_bytes):>9} "
            f"{show_bytes(found.activation_bytes):>13} {show_bytes(found.peak_activation_bytes):>9}  "
            f"{', '.join(times)}"
        )


if __name__ == "__main__":
    main()
