"""Which account PostgreSQL runs as: it refuses root, as which containers often run."""

import os
import pwd
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.embedded import unprivileged
from streams.embedded.errors import EmbeddedError

ROOT: Final = 0
UNPRIVILEGED_ACCOUNT: Final = "nobody"
"""There on every Linux and macOS: no account needs to be added to the user's machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that root runs PostgreSQL as."""

    user_id: int
    group_id: int


def choose_account(data: Path) -> Account | None:
    """Return the account to run as, None for the present one, which is right for any but root.

    Args:
        data: PostgreSQL's data folder; if it exists, its owner goes on with it.

    Raises:
        EmbeddedError: the present account is root, and there is no unprivileged one.
    """
    if os.geteuid() != ROOT:
        return None
    if data.exists() and (status := data.stat()).st_uid != ROOT:
        return Account(user_id=status.st_uid, group_id=status.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_ACCOUNT)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and this machine has no account {UNPRIVILEGED_ACCOUNT!r} to "
            "run it as: start Pressline with an ordinary account, or set PRESSLINE_DATABASE_URL to a "
            "PostgreSQL of your own"
        ) from error
    return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)


def give(path: Path, account: Account | None) -> None:
    """Make the account the owner of one file or folder."""
    if account is not None:
        os.chown(path, account.user_id, account.group_id)


def run_as(account: Account | None, command: Sequence[str], data: Path) -> tuple[str, ...]:
    """Return the command that runs a command as an account.

    Args:
        account: None for the present one.
        command: the program's absolute path, then its arguments.
        data: the folder that it must reach beside its own.
    """
    if account is None:
        return tuple(command)
    private = private_folder_above(data) or private_folder_above(Path(command[0]))
    permissions = unprivileged.PASS if private else unprivileged.OBEY
    launcher = (sys.executable, "-I", "-S", unprivileged.__file__)
    return (*launcher, str(account.user_id), str(account.group_id), permissions, *command)


def private_folder_above(path: Path) -> Path | None:
    """Return the topmost folder that keeps other accounts from reaching `path`, None if none does."""
    for folder in reversed(path.resolve().parents):
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None
