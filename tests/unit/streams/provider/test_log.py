"""The ground truth log."""

from pathlib import Path

import orjson
import pytest

from streams.embedded.provider.log import GroundTruthLog, LogFullError


def test_lines_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "truth.jsonl"
    log = GroundTruthLog(path, 10_000)

    log.append({"event": "request"})
    log.append({"event": "answered"})

    assert [orjson.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["request", "answered"]
    log.close()


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b'{"event":"request"}\n{"event":"req')

    log = GroundTruthLog(path, 10_000)
    log.append({"event": "started"})
    log.close()

    assert path.read_bytes().splitlines()[-1] == b'{"event":"started"}'


def test_a_full_log_takes_last_words_only(tmp_path: Path) -> None:
    log = GroundTruthLog(tmp_path / "truth.jsonl", 30)
    log.append({"event": "request"})

    with pytest.raises(LogFullError, match="raise log_bytes_max"):
        log.append({"event": "request"})
    log.append({"event": "answered"}, last_words=True)
    log.close()
