"""Measure the file that ships on pictures it has not learned from."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.evaluate.document import Report as Report
    from foveal.evaluate.held_out import HeldOut as HeldOut
    from foveal.evaluate.reporting import report as report

__all__ = ["HeldOut", "Report", "report"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import foveal.evaluate` alone costs nothing."""
    if name == "report":
        from foveal.evaluate.reporting import report

        return report
    if name == "HeldOut":
        from foveal.evaluate.held_out import HeldOut

        return HeldOut
    if name == "Report":
        from foveal.evaluate.document import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
