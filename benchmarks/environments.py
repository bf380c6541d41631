"""A virtual environment for each peer, made once and kept under `.bench`."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.plan import Peer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".bench" / "venvs"
INSTALL_S_MAX = 600.0
STAMP = "installed.sha256"
REASON_CHARS_MAX = 160


class InstallError(Exception):
    """A peer cannot be installed here; the text is pip's reason."""


def python_of(peer: Peer) -> Path:
    """Return the interpreter that runs the peer, installed with what its file pins.

    Raises:
        InstallError: pip refused.
    """
    if peer.requirements is None:
        return Path(sys.executable)
    requirements = ROOT / "benchmarks" / "peers" / f"{peer.requirements}.txt"
    return install(peer.requirements, requirements, any_python=peer.any_python)


def install(name: str, requirements: Path, *, any_python: bool = False) -> Path:
    """Return the interpreter of the environment `name` with `requirements` installed.

    Args:
        name: of the environment.
        requirements: locked, with hashes.
        any_python: install packages that declare another Python, too.

    Raises:
        InstallError: pip refused.
    """
    folder = FOLDER / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return python
    print(f"installing {name} into {folder.relative_to(ROOT)}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "-r", str(requirements)]
    command += ["--ignore-requires-python"] if any_python else []
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["pip says nothing"]
        raise InstallError(lines[-1][:REASON_CHARS_MAX])
    stamp.write_text(wanted, encoding="ascii")
    return python
