"""What the simulated provider shall do: one frozen, strict model, read from YAML or JSON."""

import math
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from processors import strict_yaml

SECONDS_MAX = 3_600.0
NORMAL_P99 = 2.3263478740408408  # standard deviations from the median to the 99th percentile
SHARE_SLACK = 1e-9  # the sum of shares is a sum of floats

Seconds = Annotated[float, Field(ge=0, le=SECONDS_MAX, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Fault(StrEnum):
    """What can go wrong with an answer, in the order in which shares are laid out."""

    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_503 = "http_503"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    TRUNCATED_BODY = "truncated_body"
    TRUNCATED_CONTENT = "truncated_content"
    WRONG_SCHEMA = "wrong_schema"
    NONSENSE = "nonsense"
    REFUSAL = "refusal"
    MISSING_USAGE = "missing_usage"
    SLOW = "slow"


class ConfigError(ValueError):
    """A configuration that cannot be used; the message says where and what to do."""


class StrictModel(BaseModel):
    """Frozen, without coercion, without unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class FixedLatency(StrictModel):
    """Every answer takes the same time."""

    kind: Literal["fixed"] = "fixed"
    seconds: Seconds = Field(default=0.15, description="time from arrival to answer, in seconds")


class LogNormalLatency(StrictModel):
    """Most answers are quick, a few are slow, as with real providers."""

    kind: Literal["log_normal"] = "log_normal"
    median_s: Annotated[float, Field(gt=0, le=SECONDS_MAX)] = Field(
        default=0.15, description="half of the answers are quicker, in seconds"
    )
    p99_s: Annotated[float, Field(gt=0, le=SECONDS_MAX)] = Field(
        default=0.6, description="99 of 100 answers are quicker, in seconds; at least the median"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.p99_s < self.median_s:
            raise ValueError(
                f"p99_s is {self.p99_s}, below median_s {self.median_s}: raise p99_s or lower median_s"
            )
        return self

    @cached_property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return math.log(self.p99_s / self.median_s) / NORMAL_P99


Latency = Annotated[FixedLatency | LogNormalLatency, Field(discriminator="kind")]


class FaultShares(StrictModel):
    """How often each fault strikes, as a share of all admitted requests (0..1); together at most 1."""

    http_429: Share = Field(default=0, description="429 with retry-after")
    http_500: Share = Field(default=0, description="500 in the error shape of the format")
    http_503: Share = Field(default=0, description="503 in the error shape of the format")
    timeout: Share = Field(default=0, description="connection held for hang_s, then closed unanswered")
    malformed: Share = Field(default=0, description="200 with a body that is not JSON")
    truncated_body: Share = Field(default=0, description="200, then the connection closes within the body")
    truncated_content: Share = Field(default=0, description="finish_reason length with cut content")
    wrong_schema: Share = Field(default=0, description="valid JSON that lacks a required property")
    nonsense: Share = Field(default=0, description="fits the schema, with invented names and numbers")
    refusal: Share = Field(default=0, description="message.refusal instead of content")
    missing_usage: Share = Field(default=0, description="a good answer without the usage object")
    slow: Share = Field(default=0, description="a good answer that takes slow_s")

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        total = sum(share for _, share in self.laid_out)
        if total > 1 + SHARE_SLACK:
            raise ValueError(f"the shares sum to {total:g}, expected at most 1: lower some")
        return self

    @cached_property
    def laid_out(self) -> tuple[tuple[Fault, float], ...]:
        """The faults that can strike with their shares, in a fixed order."""
        shares = ((fault, float(getattr(self, fault.value))) for fault in Fault)
        return tuple((fault, share) for fault, share in shares if share > 0)


class Limits(StrictModel):
    """Limits of one model over any window of `window_s`; none means unlimited."""

    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="admitted requests per window"
    )
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = Field(
        default=None,
        description="tokens per window: estimated input plus the maximum output that the request states,"
        " or plus the real output where it states none",
    )


class ModelBehaviour(StrictModel):
    """How one model behaves."""

    latency: Latency = Field(default=LogNormalLatency(), description="time from arrival to answer")
    faults: FaultShares = Field(default=FaultShares(), description="shares of injected faults")
    limits: Limits = Field(default=Limits(), description="enforced limits")
    hang_s: Seconds = Field(default=30.0, description="how long a timeout fault holds on, in seconds")
    slow_s: Seconds = Field(default=20.0, description="how long a slow answer takes, in seconds")
    retry_after_s: Seconds | None = Field(
        default=1.0, description="what an injected 429 asks the caller to wait, in seconds; none = nothing"
    )


class ModelOverride(StrictModel):
    """What differs for one model. A field that is left out is inherited; one that is set replaces all."""

    latency: Latency | None = Field(default=None, description="as in the defaults")
    faults: FaultShares | None = Field(default=None, description="as in the defaults; replaced as a whole")
    limits: Limits | None = Field(default=None, description="as in the defaults; replaced as a whole")
    hang_s: Seconds | None = Field(default=None, description="as in the defaults, in seconds")
    slow_s: Seconds | None = Field(default=None, description="as in the defaults, in seconds")
    retry_after_s: Seconds | None = Field(default=None, description="as in the defaults, in seconds")


class ProviderConfig(StrictModel):
    """Everything that the simulated provider can be told."""

    log_path: Path = Field(strict=False, description="ground truth log, JSON lines, appended to")
    host: str = Field(default="127.0.0.1", description="address to bind")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(default=8700, description="TCP port; 0 = any free")
    seed: int = Field(default=0, description="of texts, faults and latencies")
    api_key: str | None = Field(
        default=None, min_length=1, repr=False, description="expected bearer token; none = no check"
    )
    models: tuple[str, ...] = Field(
        default=("simulated-small", "simulated-mid", "simulated-frontier"),
        description="names that GET /v1/models lists, beside those with overrides",
    )
    unknown_models: Literal["answer", "refuse"] = Field(
        default="answer", description="what to do with a model that is not listed: answer, or 404"
    )
    defaults: ModelBehaviour = Field(
        default=ModelBehaviour(), description="behaviour of every model without an override"
    )
    overrides: dict[str, ModelOverride] = Field(default_factory=dict, description="by model name")
    window_s: Annotated[float, Field(gt=0, le=SECONDS_MAX)] = Field(
        default=60.0, description="length of the sliding window of all limits, in seconds"
    )
    body_chars: Annotated[int, Field(ge=200, le=100_000)] = Field(
        default=1_500, description="length of a body where the schema sets no bounds, in characters"
    )
    in_flight_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=10_000, description="requests at once; more are answered with 503"
    )
    log_bytes_max: Annotated[int, Field(ge=4_096)] = Field(
        default=4 * 1_073_741_824,
        description="size of the log in bytes at which requests are refused with 503, as an unlogged"
        " answer would make the ground truth false",
    )

    @cached_property
    def listed_models(self) -> tuple[str, ...]:
        """The names of all models that are known."""
        return tuple(dict.fromkeys((*self.models, *self.overrides)))

    def behaviour_of(self, model: str) -> ModelBehaviour:
        """Return how `model` behaves: the defaults with its override laid over them."""
        override = self.overrides.get(model)
        if override is None:
            return self.defaults
        changed = {name: getattr(override, name) for name in override.model_fields_set}
        return self.defaults.model_copy(
            update={name: value for name, value in changed.items() if value is not None}
        )


def load_config(path: Path | None, **given: Any) -> ProviderConfig:
    """Read a configuration file and lay the given values over it.

    Args:
        path: YAML (`.yaml`, `.yml`) or JSON file of at most `YAML_BYTES_MAX` bytes, or none.
        given: Fields of `ProviderConfig`, for example from a command line; they win. None = not given.

    Raises:
        ConfigError: The file cannot be read, or a value or key is not known.
    """
    content = {} if path is None else _read_mapping(path)
    content.update({name: value for name, value in given.items() if value is not None})
    try:
        return ProviderConfig.model_validate_json(orjson.dumps(content, default=str))
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from error


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = strict_yaml.load(file.read(strict_yaml.YAML_BYTES_MAX + 1))  # JSON is a subset of YAML
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; expected a YAML or JSON file") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path}: holds {type(content).__name__}, expected a mapping of settings to values")
    return content


def _explain(error: ValidationError, path: Path | None) -> str:
    found = [_explain_one(dict(detail)) for detail in error.errors(include_url=False, include_context=False)]
    return f"{path or 'provider configuration'}: " + "; ".join(found)


def _explain_one(detail: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in detail["loc"]) or "(whole)"
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if detail["type"] == "missing":
        return f"{where}: missing; add it"
    return f"{where}: {detail['msg']}, got {detail['input']!r}"
