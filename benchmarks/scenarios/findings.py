"""What a scenario measured, beside the bars that it must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure and its bound.

    Attributes:
        name: what was measured; its unit comes last.
        measured: the figure.
        bound: the most that it may be, or the least.
        at_least: whether the bound is the least.
    """

    name: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def held(self) -> bool:
        """Whether the figure is within its bound."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    def __str__(self) -> str:
        verdict = "held" if self.held else "MISSED"
        side = "at least" if self.at_least else "at most"
        return f"{verdict:6} {self.name}: {self.measured:.3g}, {side} {self.bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that one scenario found.

    Attributes:
        bars: figures with bounds.
        facts: figures without: what the run was like, and medians beside maxima.
    """

    bars: tuple[Bar, ...]
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every bar was held."""
        return all(bar.held for bar in self.bars)

    def as_json(self) -> dict[str, object]:
        """Return what the last line of the output says of it."""
        bars = {
            bar.name: {
                "measured": round(bar.measured, 3),
                "at_least" if bar.at_least else "at_most": bar.bound,
                "held": bar.held,
            }
            for bar in self.bars
        }
        facts = {name: round(value, 3) for name, value in self.facts.items()}
        return {"held": self.held, "bars": bars, "facts": facts}
