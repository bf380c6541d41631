"""The command line: every command helps and exits as promised."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from streams.cli import COMMANDS, main
from streams.cli.exits import EXITS, FAILED, PART_MISSING, WRONG_USE, exit_codes

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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert COMMANDS[name].help == command.get_short_help_str(limit=200)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_list_of_commands_imports_none_of_them(arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-X", "importtime", "-m", "streams", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"aiokafka", "httpx", "mode", "pydantic"})
    assert "streams.cli" in imported


def test_a_commands_name_is_completed_without_importing_it() -> None:
    items = main.shell_complete(click.Context(main), "why")

    assert [(item.value, item.help) for item in items] == [("why-stuck", COMMANDS["why-stuck"].help)]


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
