"""What `pressline up` refuses before it starts anything."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import main, up


class StartedError(Exception):
    """Something was started."""


def start(*_arguments: object, **_options: object) -> None:
    raise StartedError


@pytest.mark.parametrize("text", ["defaults: [\n", "defalts: {}\n", "seed: none\n", "- 1\n"])
@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_a_bad_configuration_of_the_provider_is_told_as_the_provider_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, options: tuple[str, ...]
) -> None:
    """The provider itself reads it only when Kafka and PostgreSQL are up."""
    monkeypatch.setenv("PRESSLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(up, "Stack", start)
    monkeypatch.setattr(subprocess, "Popen", start)
    path = tmp_path / "provider.yaml"
    path.write_text(text)

    refused = CliRunner().invoke(main, ["up", "--provider-config", str(path), *options])

    simulated = CliRunner().invoke(main, ["provider", "simulate", "--config", str(path)])
    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", simulated.stderr)
    assert str(path) in refused.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_a_good_configuration_of_the_provider_is_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PRESSLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(up, "Stack", start)
    monkeypatch.setattr(subprocess, "Popen", start)
    path = tmp_path / "provider.yaml"
    path.write_text("seed: 1\n")

    result = CliRunner().invoke(main, ["up", "--provider-config", str(path), *options])

    assert isinstance(result.exception, StartedError)
