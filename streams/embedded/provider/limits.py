"""Strict sliding windows: in any window of the configured length, never more than the limit."""

import math
from collections import deque
from dataclasses import dataclass

from streams.embedded.provider.config import Limits, ProviderConfig

MODELS_LIMITED_MAX = 1_024
MILLISECONDS = 1_000


class TooManyModelsError(RuntimeError):
    """More distinct limited models than are kept track of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """One limit as a provider reports it.

    Args:
        limit: Units per window.
        remaining: Units that are free now.
        reset_s: Seconds until all units are free again, if no more are taken.
    """

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the limits of a model say to one request.

    Args:
        refused_by: The limit that stands against it, or none if it was admitted.
        retry_after_s: Seconds after which it would fit; none if admitted or if it never fits.
        requests: State of the requests limit after the decision, if there is one.
        tokens: State of the tokens limit after the decision, if there is one.
    """

    refused_by: str | None = None
    retry_after_s: float | None = None
    requests: WindowState | None = None
    tokens: WindowState | None = None


class SlidingWindow:
    """Units taken over the last `window_s` seconds; each is free again exactly `window_s` after it was taken.

    Args:
        limit: Units per window; also bounds the memory, as each entry holds at least one unit.
        window_s: Length of the window in seconds.
    """

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_s = window_s
        self._taken: deque[tuple[float, int]] = deque()
        self._used = 0

    def wait_s(self, units: int, now: float) -> float | None:
        """Return the seconds until `units` fit: 0 if they fit now, none if they are more than the limit."""
        self._expire(now)
        excess = self._used + units - self.limit
        if excess <= 0:
            return 0.0
        if units > self.limit:
            return None
        for taken_at, taken in self._taken:
            excess -= taken
            if excess <= 0:
                return self._seconds_left(taken_at, now)
        raise AssertionError(f"{self._used} units used but fewer recorded: the window lost entries")

    def take(self, units: int, now: float) -> None:
        """Take `units`, at least one; the caller has seen that they fit. `now` never runs backwards."""
        self._taken.append((now, units))
        self._used += units

    def state(self, now: float) -> WindowState:
        """Return the state at `now`."""
        self._expire(now)
        reset_s = self._seconds_left(self._taken[-1][0], now) if self._taken else 0.0
        return WindowState(limit=self.limit, remaining=self.limit - self._used, reset_s=reset_s)

    def _seconds_left(self, taken_at: float, now: float) -> float:
        return max(0.0, self._window_s - (now - taken_at))

    def _expire(self, now: float) -> None:
        while self._taken and now - self._taken[0][0] >= self._window_s:
            self._used -= self._taken.popleft()[1]


class ModelLimits:
    """The requests and tokens windows of one model. A refused request takes nothing from either."""

    def __init__(self, limits: Limits, window_s: float) -> None:
        self._requests = _window(limits.requests_per_minute, window_s)
        self._tokens = _window(limits.tokens_per_minute, window_s)

    def admit(self, tokens: int, now: float) -> Admission:
        """Admit or refuse one request.

        Args:
            tokens: What the request counts against the tokens limit, at least 1.
            now: Monotonic seconds.
        """
        for name, window, units in (("requests", self._requests, 1), ("tokens", self._tokens, tokens)):
            wait_s = 0.0 if window is None else window.wait_s(units, now)
            if wait_s != 0.0:
                return self._admission(now, refused_by=name, retry_after_s=wait_s)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        return self._admission(now)

    def _admission(
        self, now: float, *, refused_by: str | None = None, retry_after_s: float | None = None
    ) -> Admission:
        return Admission(
            refused_by=refused_by,
            retry_after_s=retry_after_s,
            requests=None if self._requests is None else self._requests.state(now),
            tokens=None if self._tokens is None else self._tokens.state(now),
        )


class Limiter:
    """The limits of all models; each model has its own windows."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._models: dict[str, ModelLimits] = {}

    def admit(self, model: str, tokens: int, now: float) -> Admission:
        """Admit or refuse one request of `model`; see `ModelLimits.admit`.

        Raises:
            TooManyModelsError: `MODELS_LIMITED_MAX` other models are tracked already.
        """
        known = self._models.get(model)
        if known is None:
            limits = self._config.behaviour_of(model).limits
            if limits.requests_per_minute is None and limits.tokens_per_minute is None:
                return Admission()
            # Forgetting a model would also forget what it has used, so that its limit could be broken.
            if len(self._models) >= MODELS_LIMITED_MAX:
                raise TooManyModelsError(
                    f"{len(self._models)} models are limited, expected at most {MODELS_LIMITED_MAX}:"
                    " use fewer names or set unknown_models to refuse"
                )
            known = self._models[model] = ModelLimits(limits, self._config.window_s)
        return known.admit(tokens, now)


def duration(seconds: float) -> str:
    """Return a duration as OpenAI writes it: 120ms, 1s, 59.917s, 6m0s, 1h0m0s; rounded up to 1 ms."""
    milliseconds = math.ceil(seconds * MILLISECONDS - 1e-6)
    if milliseconds < MILLISECONDS:
        return f"{milliseconds}ms"
    minutes, rest_ms = divmod(milliseconds, 60 * MILLISECONDS)
    rest = f"{rest_ms / MILLISECONDS:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + rest


def _window(limit: int | None, window_s: float) -> SlidingWindow | None:
    return None if limit is None else SlidingWindow(limit, window_s)
