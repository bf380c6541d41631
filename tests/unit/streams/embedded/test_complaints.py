"""An error quotes what tells, not the whole log, and says what to do."""

from pathlib import Path

import pytest

from streams.embedded.complaints import LINES_MAX, advice, complaint


def test_only_the_present_runs_lines_are_quoted(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("ERROR of yesterday\n")
    start_bytes = log.stat().st_size
    with log.open("a") as file:
        file.write("INFO well\nFATAL: today\n\tat some.java.Frame\n")

    text = complaint(log, start_bytes)

    assert "FATAL: today" in text
    assert "yesterday" not in text
    assert "INFO" not in text


def test_a_log_without_errors_is_quoted_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))

    text = complaint(log, 0)

    assert text.count("line ") == LINES_MAX
    assert "line 99" in text


def test_a_log_that_was_rolled_over_is_read_from_its_begin(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("ERROR here\n")

    assert "ERROR here" in complaint(log, 1_000_000)


@pytest.mark.parametrize(
    ("words", "todo"),
    [
        ("java.net.BindException: Address already in use", "free ports are then chosen anew"),
        ("FATAL: could not write lock file: No space left on device", "free disk space"),
        ("java.lang.OutOfMemoryError: Java heap space", "free memory"),
        ('FATAL: data directory "data" has wrong ownership', "the account that made this folder"),
        ("No `meta.properties` found in data", "delete it (which loses its data)"),
        ("something never seen", "read the whole log"),
    ],
)
def test_known_failures_have_known_remedies(words: str, todo: str) -> None:
    assert todo in advice(words)
