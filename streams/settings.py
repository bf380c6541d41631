"""Settings: the one place that reads the environment, at start-up.

Priority: command line, environment, `.env`, what a running `pressline up` left in PRESSLINE_HOME, defaults.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.base import Stage
from streams import run_file
from streams.engine.intake import Ordering

INDEX = "index"
"""Beside the stages a worker can run this: the task index and the site's index pages."""
REDELIVER = "redeliver"
"""And this: taking records that waited in retry topics back to their own."""
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where spans go. Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/"""
RUNNABLE = (*Stage, INDEX, REDELIVER)


class SettingsError(Exception):
    """A setting is wrong, or one that is needed is missing, or what it needs is not installed."""


class InvalidSettingsError(SettingsError):
    """A setting has a value that it does not take."""


class Settings(BaseSettings):
    """What a Pressline process needs to know. Every field is `PRESSLINE_<NAME>` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PRESSLINE_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(Path(".pressline"), description="Folder of the embedded services: data and logs.")
    brokers: str | None = Field(
        None, description="Kafka bootstrap servers, `host:port` joined by commas; default: the embedded one."
    )
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL (version 15 or later); default: the embedded one."
    )
    redis: SecretStr | None = Field(
        None,
        description="Redis URL, through which idle shares of limits are lent; default: through PostgreSQL.",
    )
    recipes: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("recipes"),), description="Recipe folders, or folders of such, joined by colons."
    )
    providers: Path | None = Field(None, description="Provider catalogue (YAML); default: the built-in one.")
    budgets: Path | None = Field(None, description="Budgets (YAML); default: only the tasks' own.")
    simulated_url: str | None = Field(
        None, description="Base URL of a simulated provider that answers in place of every other."
    )
    site: Path = Field(Path(".pressline/site"), description="Folder that the files sink publishes to.")
    site_url: str = Field(
        "http://localhost:8000",
        description="Address that the site folder is served at, for links and sitemap.",
    )
    partitions: int = Field(8, ge=1, le=1000, description="Partitions of each topic that is created.")
    replication: int = Field(1, ge=1, le=5, description="Replicas of each topic that is created.")
    stages: Annotated[tuple[str, ...], NoDecode] = Field(
        RUNNABLE, description=f"What a worker runs, joined by commas: {', '.join(RUNNABLE)}."
    )
    ordering: Ordering = Field(
        Ordering.UNORDERED, description="`unordered`, or `key`: one per key at a time."
    )
    in_flight: int = Field(500, ge=1, le=20_000, description="Most records of a stage in work at once.")
    tenant_in_flight: int | None = Field(
        None, ge=1, description="Most records of one tenant in work at once, by stage, lane and worker."
    )
    session_timeout_s: float = Field(
        10.0, ge=1, le=300, description="Seconds until a silent worker's partitions go to others."
    )
    instance_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="This worker's own name: restarted within the session time-out, it keeps its partitions.",
    )
    backlog_s: float = Field(
        600.0, gt=0, le=86_400, description="Seconds in which the desired workers would work a backlog off."
    )
    stall_s: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds without progress until a stage rejoins its group; after as many more it exits.",
    )
    drain_s: float = Field(30.0, ge=0, le=3600, description="Seconds that calls may take to end at a stop.")
    web_host: str = Field("127.0.0.1", description="Address of health page and metrics.")
    web_port: int = Field(6066, ge=1, le=65535, description="Port of health page and metrics.")

    @field_validator("redis")
    @classmethod
    def _scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("expected a URL that begins with redis:// or rediss://")
        return value

    @field_validator("recipes", mode="before")
    @classmethod
    def _folders(cls, value: object) -> object:
        return tuple(value.split(os.pathsep)) if isinstance(value, str) else value

    @field_validator("stages", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("stages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in RUNNABLE]
        if unknown or not value:
            raise ValueError(f"{unknown!r} is not among {', '.join(RUNNABLE)}")
        return value

    @classmethod
    def load(cls, **options: object) -> Self:
        """Read the settings.

        Args:
            options: what the command line says; None means not said.

        Raises:
            InvalidSettingsError: a value is wrong; names the setting and what was expected.
        """
        try:
            settings = cls(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as error:
            wrong = "; ".join(
                f"PRESSLINE_{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors(include_input=False, include_url=False)
            )
            raise InvalidSettingsError(
                f"{wrong}. The README's table of settings says what each takes."
            ) from None
        return settings.model_copy(update=settings._from_run_file())

    def _from_run_file(self) -> dict[str, object]:
        run = run_file.read(self.home)
        if run is None:
            return {}
        found = {
            "brokers": run.brokers,
            "database_url": SecretStr(run.database_url),
            "simulated_url": run.simulated_url,
        }
        return {name: value for name, value in found.items() if getattr(self, name) is None}

    def with_addresses(self, **addresses: str) -> Self:
        """Return the settings with brokers, database_url or simulated_url filled in."""
        if "database_url" in addresses:
            return self.model_copy(update=addresses | {"database_url": SecretStr(addresses["database_url"])})
        return self.model_copy(update=addresses)

    def need_brokers(self) -> str:
        """Return the bootstrap servers.

        Raises:
            SettingsError: none are set and nothing is running in `home`.
        """
        if self.brokers is None:
            raise SettingsError(_nothing_runs("PRESSLINE_BROKERS", self.home))
        return self.brokers

    def need_database(self) -> str:
        """Return the database's URL.

        Raises:
            SettingsError: none is set and nothing is running in `home`.
        """
        if self.database_url is None:
            raise SettingsError(_nothing_runs("PRESSLINE_DATABASE_URL", self.home))
        return self.database_url.get_secret_value()


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a child process that is to have these settings, and ours otherwise."""
    values = settings.model_dump(exclude_none=True)
    values["home"] = settings.home.resolve()
    values["recipes"] = os.pathsep.join(map(str, settings.recipes))
    values["stages"] = ",".join(settings.stages)
    shown = {name: value.get_secret_value() for name, value in values.items() if isinstance(value, SecretStr)}
    return dict(os.environ) | {
        f"PRESSLINE_{name.upper()}": str(value) for name, value in (values | shown).items()
    }


def provider_keys(names: Iterable[str]) -> Mapping[str, SecretStr]:
    """Return those API keys of `names` that the environment holds, by the names their own clients use."""
    return {name: SecretStr(os.environ[name]) for name in names if os.environ.get(name)}


def otlp_endpoint() -> str | None:
    """Return where spans are to be sent, by OpenTelemetry's own variable; None: no spans are made."""
    return os.environ.get(OTLP_ENDPOINT) or None


def _nothing_runs(setting: str, home: Path) -> str:
    return f"{setting} is not set and nothing runs in {home}: start `pressline up`, or set it"
