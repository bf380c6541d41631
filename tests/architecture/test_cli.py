"""The command line: every command helps, quickly, and exits as promised."""

import resource
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from streams.cli import COMMANDS, main
from streams.cli.exits import EXITS, FAILED, PART_MISSING, WRONG_USE, exit_codes

HELP_CPU_S_MAX = 3.0
"""Of processor time, which other work on the machine hardly changes. `--help` alone takes about one."""
NEEDS_SERVICES = {
    "topics": [],
    "status": [],
    "watch": ["some-load"],
    "results": ["some-load"],
    "worker": [],
    "pause": ["--list"],
    "resume": ["--stage", "generate"],
    "drain": ["--stage", "generate"],
    "why-stuck": [],
    "scaling": [],
}


def _paths() -> list[tuple[str, ...]]:
    context = click.Context(main)
    paths: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        paths.append((name,))
        if isinstance(command, click.Group):
            paths += [(name, sub) for sub in command.commands]
    return paths


@pytest.mark.parametrize("path", _paths(), ids=" ".join)
def test_every_command_helps(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])

    assert (result.exit_code, result.output.startswith("Usage: ")) == (0, True)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["load", "--help"], ["status", "--help"]])
def test_help_is_quick(arguments: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "streams", *arguments], capture_output=True, timeout=60, check=False
    )

    assert done.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < HELP_CPU_S_MAX


@pytest.mark.parametrize("arguments", [["no-such-command"], ["up", "--no-such-option"], ["load"], ["pause"]])
def test_wrong_use_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == WRONG_USE


@pytest.mark.parametrize("name", NEEDS_SERVICES)
def test_without_services_a_command_exits_with_3_and_says_what_to_do(
    name: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("PRESSLINE_BROKERS", "PRESSLINE_DATABASE_URL"):
        monkeypatch.delenv(setting, raising=False)

    result = CliRunner().invoke(main, [name, *NEEDS_SERVICES[name]], env={"PRESSLINE_HOME": str(tmp_path)})

    assert (result.exit_code, "start `pressline up`" in result.stderr) == (PART_MISSING, True)


@pytest.mark.parametrize("kind", EXITS, ids=lambda kind: kind.__name__)
def test_every_expected_error_has_its_exit_code(
    kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, exit_codes():
        raise kind("what was seen")

    assert stopped.value.code == EXITS[kind]
    assert stopped.value.code in {FAILED, WRONG_USE, PART_MISSING}
    assert "what was seen" in capsys.readouterr().err
