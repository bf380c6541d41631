"""Settings: one error in plain words, priorities, no secret in sight."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.base import Stage
from streams import run_file
from streams.engine.intake import Ordering
from streams.run_file import RunFile
from streams.settings import (
    INDEX,
    REDELIVER,
    RUNNABLE,
    InvalidSettingsError,
    Settings,
    SettingsError,
    child_environment,
    provider_keys,
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor a `.env` of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith("PRESSLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_anything_set_a_worker_runs_every_stage() -> None:
    settings = Settings.load()

    assert settings.stages == RUNNABLE == (*Stage, INDEX, REDELIVER)
    assert (settings.brokers, settings.ordering) == (None, Ordering.UNORDERED)


def test_the_command_line_wins_over_the_environment_and_that_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PRESSLINE_PARTITIONS=2\nPRESSLINE_IN_FLIGHT=2\nPRESSLINE_WEB_PORT=2\n")
    monkeypatch.setenv("PRESSLINE_IN_FLIGHT", "3")
    monkeypatch.setenv("PRESSLINE_WEB_PORT", "3")

    settings = Settings.load(web_port=4, drain_s=None)

    assert (settings.partitions, settings.in_flight, settings.web_port) == (2, 3, 4)


def test_lists_are_read_from_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSLINE_STAGES", "generate, index")
    monkeypatch.setenv("PRESSLINE_RECIPES", f"a{os.pathsep}b")

    settings = Settings.load()

    assert (settings.stages, settings.recipes) == (("generate", "index"), (Path("a"), Path("b")))


@pytest.mark.parametrize(
    ("name", "value"),
    [("STAGES", "draft"), ("IN_FLIGHT", "0"), ("ORDERING", "fifo"), ("WEB_PORT", "x"), ("DRAIN_S", "-1")],
)
def test_a_wrong_value_is_said_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"PRESSLINE_{name}", value)

    with pytest.raises(InvalidSettingsError, match=f"PRESSLINE_{name}") as wrong:
        Settings.load()
    assert "Value error" not in str(wrong.value)


def test_what_a_running_pressline_left_fills_in_what_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = RunFile(pid=os.getpid(), brokers="b:1", database_url="postgresql://u:p@h/d", simulated_url=None)
    run_file.write(tmp_path, run)
    monkeypatch.setenv("PRESSLINE_BROKERS", "mine:9092")

    settings = Settings.load(home=tmp_path)

    assert (settings.need_brokers(), settings.need_database()) == ("mine:9092", "postgresql://u:p@h/d")


def test_what_is_needed_and_missing_is_said_with_a_way_out() -> None:
    settings = Settings.load()

    with pytest.raises(SettingsError, match=r"PRESSLINE_BROKERS is not set .* `pressline up`"):
        settings.need_brokers()
    with pytest.raises(SettingsError, match="PRESSLINE_DATABASE_URL"):
        settings.need_database()


def test_the_databases_password_is_not_shown() -> None:
    settings = Settings.load(database_url=SecretStr("postgresql://u:hidden@h/d"))

    assert "hidden" not in repr(settings)
    assert settings.need_database() == "postgresql://u:hidden@h/d"


def test_the_password_of_redis_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hidden" not in repr(Settings.load(redis=SecretStr("redis://:hidden@h/0")))
    monkeypatch.setenv("PRESSLINE_REDIS", "http://:hidden@h")

    with pytest.raises(SettingsError, match=r"PRESSLINE_REDIS: .* begins with redis://") as wrong:
        Settings.load()

    assert "hidden" not in str(wrong.value)


def test_a_child_has_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load(
        stages="generate,index", recipes="a:b", in_flight=7, redis="redis://:p@h"
    ).with_addresses(brokers="b:1", database_url="postgresql://u:p@h/d", simulated_url="http://s/v1")
    for name, value in child_environment(settings).items():
        monkeypatch.setenv(name, value)

    child = Settings.load()

    assert child.model_dump(exclude={"home"}) == settings.model_dump(exclude={"home"})
    assert child.home == settings.home.resolve()


def test_only_keys_that_are_set_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "k")
    monkeypatch.setenv("EMPTY_API_KEY", "")

    keys = provider_keys(["SOME_API_KEY", "EMPTY_API_KEY", "NO_API_KEY"])

    assert {name: key.get_secret_value() for name, key in keys.items()} == {"SOME_API_KEY": "k"}
