"""A bar that has to be met."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar.

    Attributes:
        name: what is asked.
        wanted: of the figure.
        seen: the figure.
        met: whether it is as wanted.
    """

    name: str
    wanted: str
    seen: str
    met: bool
