"""The run file is found while its process runs, and by its user only."""

import os
from pathlib import Path

import pytest

from streams import run_file
from streams.run_file import RUN_FILE, RunFile

PID_MAX = 2**22
RUN = RunFile(pid=os.getpid(), brokers="b:1", database_url="postgresql://h/d", simulated_url=None)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    run_file.write(tmp_path, RUN)

    assert run_file.read(tmp_path) == RUN


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    run_file.write(tmp_path, RUN)

    assert (tmp_path / RUN_FILE).stat().st_mode & 0o777 == 0o600


def test_it_is_ready_when_it_says_so(tmp_path: Path) -> None:
    run_file.write(tmp_path, RUN)
    before = run_file.is_ready(tmp_path)

    run_file.write(tmp_path, RUN.model_copy(update={"ready": True}))

    assert (before, run_file.is_ready(tmp_path)) == (False, True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": 1}', b"\xff"])
def test_a_broken_one_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RUN_FILE).write_bytes(content)

    assert run_file.read(tmp_path) is None


def test_one_whose_process_is_gone_is_none(tmp_path: Path) -> None:
    run_file.write(tmp_path, RUN.model_copy(update={"pid": PID_MAX + 1}))

    assert run_file.read(tmp_path) is None


def test_a_removed_one_is_none_and_may_be_removed_again(tmp_path: Path) -> None:
    run_file.write(tmp_path, RUN)

    run_file.remove(tmp_path)
    run_file.remove(tmp_path)

    assert run_file.read(tmp_path) is None
