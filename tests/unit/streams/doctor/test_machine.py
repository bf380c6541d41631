"""Checks of the machine, on folders and settings of the test's own."""

from pathlib import Path
from typing import Any

import pytest

from streams.doctor import machine
from streams.doctor.finding import Status
from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import HomeLock
from streams.settings import Settings

ELSEWHERE = {"brokers": "kafka.example:9092", "database_url": "postgresql://db.example/pressline"}


def _settings(home: Path, **changes: Any) -> Settings:
    return Settings(_env_file=None, home=home, **changes)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: str) -> object:
        raise EmbeddedError(f"{module} is not installed")

    monkeypatch.setattr(machine, "find_spec", lambda _name: None)
    monkeypatch.setattr(machine, "load_extra", refuse)


def test_this_python_is_new_enough(tmp_path: Path) -> None:
    assert machine.python(_settings(tmp_path)).status is Status.OK


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("check", [machine.extras, machine.java, machine.jars])
def test_embedded_parts_are_needed_only_without_services_of_ones_own(tmp_path: Path, check: Any) -> None:
    needed, unneeded = check(_settings(tmp_path)), check(_settings(tmp_path, **ELSEWHERE))

    assert (needed.status, "pressline[embedded]" in needed.todo) == (Status.FAIL, True)
    assert (unneeded.status, unneeded.todo) == (Status.OK, "")


def test_jars_that_are_not_there_yet_are_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Maven:
        class MavenContext:
            repo_cache = tmp_path

    monkeypatch.setattr(machine, "load_extra", lambda _name: Maven)

    finding = machine.jars(_settings(tmp_path))

    assert (finding.status, finding.seen) == (Status.WARN, f"46 of 46 jars are not in {tmp_path}")


def test_a_java_that_does_not_run_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Jdk:
        JAVA = tmp_path / "java"

    monkeypatch.setattr(machine, "load_extra", lambda _name: Jdk)

    assert machine.java(_settings(tmp_path)).status is Status.FAIL


def test_a_home_that_is_still_to_be_made_is_judged_by_its_parent(tmp_path: Path) -> None:
    finding = machine.home(_settings(tmp_path / "a" / "b"))

    assert finding.seen.startswith(f"{tmp_path / 'a' / 'b'} can be written")
    assert not (tmp_path / "a").exists()


def test_a_home_below_a_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert machine.home(_settings(tmp_path / "file" / "home")).status is Status.FAIL


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = machine.GIB

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage)

    assert machine.home(_settings(tmp_path)).status is Status.WARN


def test_the_process_that_holds_the_home_is_named(tmp_path: Path) -> None:
    free = machine.in_use(_settings(tmp_path))
    with HomeLock(tmp_path):
        held = machine.in_use(_settings(tmp_path))

    assert (free.status, "nothing runs" in free.seen) == (Status.OK, True)
    assert "`pressline down` stops it" in held.seen
