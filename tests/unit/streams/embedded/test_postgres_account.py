"""Root hands PostgreSQL to another account, and opens no folder for it."""

import os
from pathlib import Path

import pytest

from streams.embedded import postgres_account, unprivileged
from streams.embedded.errors import EmbeddedError
from streams.embedded.postgres_account import Account, choose_account, private_folder_above, run_as

ACCOUNT = Account(user_id=65534, group_id=65534)


def test_the_topmost_private_folder_is_found(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "data").mkdir()

    found = private_folder_above(private / "data")

    # Above the test's own folder there may be another private one.
    assert found is not None
    assert private.is_relative_to(found)


def test_any_account_but_root_runs_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert choose_account(tmp_path) is None
    assert run_as(None, ["/bin/true"], tmp_path) == ("/bin/true",)


def test_root_goes_on_with_the_datas_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 54321)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    account = choose_account(tmp_path)

    assert account == Account(user_id=tmp_path.stat().st_uid, group_id=tmp_path.stat().st_gid)


def test_root_without_an_unprivileged_account_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_account, "UNPRIVILEGED_ACCOUNT", "no-such-account")

    with pytest.raises(EmbeddedError, match="PRESSLINE_DATABASE_URL"):
        choose_account(tmp_path / "missing")


def test_permissions_are_passed_only_where_a_folder_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_account, "private_folder_above", lambda _path: None)
    obeying = run_as(ACCOUNT, ["/bin/true"], tmp_path)
    monkeypatch.setattr(postgres_account, "private_folder_above", lambda _path: tmp_path)
    passing = run_as(ACCOUNT, ["/bin/true"], tmp_path)

    assert obeying[-4:] == ("65534", "65534", unprivileged.OBEY, "/bin/true")
    assert passing[-4:] == ("65534", "65534", unprivileged.PASS, "/bin/true")
