"""What this machine is, how much of it we may use, and what about it would spoil a measurement."""

import os
import platform
from dataclasses import asdict, dataclass
from typing import Any

from foveal.core import limits, machine
from foveal.core.wording import counted

_BUSY_LOAD = 0.5  # processes that wait for a processor, per processor, before we begin
_STOLEN = 0.01
_OWN_SHARE = 0.95  # of the processor's time while one thread runs


@dataclass(frozen=True)
class Machine:
    """The processors.

    Attributes:
        cpu: Their name.
        features: Instruction sets that matter here.
        architecture: `x86_64`, `aarch64` …
        cores_present: Of the machine.
        cores_usable: Those this process may run on.
        cores_quota: How many processors' time the control group grants; None: no limit.
        governor: Of their frequency; None: the system does not say.
        load: Processes that want a processor, mean of the last minute; None: the system does not say.
    """

    cpu: str
    features: tuple[str, ...]
    architecture: str
    cores_present: int
    cores_usable: int
    cores_quota: float | None
    governor: str | None
    load: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {**asdict(self), "features": list(self.features)}


def describe() -> Machine:
    """Return what is here now."""
    return Machine(
        cpu=machine.cpu_name(),
        features=machine.cpu_features(),
        architecture=platform.machine(),
        cores_present=os.cpu_count() or machine.usable_cpus(),
        cores_usable=machine.usable_cpus(),
        cores_quota=limits.cpu_quota(),
        governor=limits.governor(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def restricted(found: Machine) -> list[str]:
    """Return, in sentences, what keeps this process from using the whole machine steadily."""
    said = []
    if found.cores_usable < found.cores_present:
        said.append(
            f"this process may run on {found.cores_usable} of {found.cores_present} processors "
            "(its affinity; see taskset, cpuset)"
        )
    if found.cores_quota is not None and found.cores_quota < found.cores_usable:
        said.append(
            f"the control group grants the time of {found.cores_quota:g} processors: "
            "more threads than that are stopped again and again"
        )
    if found.governor not in (None, "performance"):
        said.append(
            f"the frequency governor is {found.governor!r}: times depend on what ran before; "
            "cpupower frequency-set -g performance holds the frequency"
        )
    return said


def busy(
    found: Machine,
    *,
    ticks: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None),
    processor_share: float | None = None,
) -> list[str]:
    """Return, in sentences, which other work disturbs, or disturbed what was measured.

    Args:
        found: The machine before the measurement.
        ticks: `limits.processor_ticks` before and after it.
        processor_share: Processor time over wall time while one thread ran.
    """
    said = []
    if found.load is not None and found.load > _BUSY_LOAD * found.cores_usable:
        processors = counted(found.cores_usable, "processor")
        said.append(f"other work runs on this machine: load {found.load:g} on {processors}")
    share = stolen_share(*ticks)
    if share is not None and share > _STOLEN:
        said.append(f"the hypervisor took {share:.1%} of the processors' time for other machines")
    if processor_share is not None and processor_share < _OWN_SHARE:
        said.append(f"one thread got {processor_share:.0%} of a processor: other work took the rest")
    return said


def stolen_share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Return which share of all processors' time was stolen between two counts; None: not counted."""
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])
