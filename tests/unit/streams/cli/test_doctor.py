"""What `pressline doctor` shows and how it exits."""

from collections.abc import AsyncIterator

import orjson
import pytest
from click.testing import CliRunner, Result

from streams.cli import doctor
from streams.doctor.finding import Finding, fail, ok, warn


def _run(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *arguments: str) -> Result:
    async def examine(_settings: object) -> AsyncIterator[Finding]:
        for finding in findings:
            yield finding

    monkeypatch.setattr(doctor, "examine", examine)
    return CliRunner().invoke(doctor.command, list(arguments))


def test_a_warning_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(monkeypatch, [ok("python", "3.11.9"), warn("brokers", "not running", "run `pressline up`")])

    assert (result.exit_code, "run `pressline up`" in result.stdout) == (0, True)
    assert result.stdout.endswith("ready: `pressline up` starts everything\n")


def test_a_missing_part_exits_with_3_and_is_named_last(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(monkeypatch, [ok("python", "3.11.9"), fail("java", "does not run", "reinstall it")])

    assert (result.exit_code, result.stdout.splitlines()[-1]) == (3, "missing: java")


def test_json_has_one_finding_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(
        monkeypatch, [ok("python", "3.11.9"), fail("java", "does not run", "reinstall it")], "--json"
    )

    assert result.exit_code == 3
    assert [orjson.loads(line) for line in result.stdout.splitlines()] == [
        {"check": "python", "status": "ok", "seen": "3.11.9", "todo": ""},
        {"check": "java", "status": "fail", "seen": "does not run", "todo": "reinstall it"},
    ]


def test_what_was_seen_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(monkeypatch, [ok("home", "/data/[red]x[/red]")])

    assert "/data/[red]x[/red]" in result.stdout
