"""One run at a time on a data folder, and no lock that outlives its holder."""

import os
from pathlib import Path

import pytest

from streams.embedded.errors import EmbeddedError
from streams.embedded.home_lock import HomeLock, holder_pid


def test_a_held_folder_is_refused_with_its_holders_process_id(tmp_path: Path) -> None:
    with HomeLock(tmp_path), pytest.raises(EmbeddedError, match=f"in use by process {os.getpid()}"):
        HomeLock(tmp_path).acquire()


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    with HomeLock(tmp_path):
        pass

    with HomeLock(tmp_path) as lock:
        assert lock.held


def test_the_holder_is_told_while_and_only_while_there_is_one(tmp_path: Path) -> None:
    assert holder_pid(tmp_path) is None

    with HomeLock(tmp_path):
        assert holder_pid(tmp_path) == os.getpid()

    assert holder_pid(tmp_path) is None


def test_taking_and_giving_back_twice_is_no_change(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.acquire()
    lock.acquire()

    lock.release()
    lock.release()

    assert not lock.held


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match="PRESSLINE_HOME"):
        HomeLock(tmp_path / "file" / "home").acquire()
