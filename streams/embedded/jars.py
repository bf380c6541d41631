"""Apache Kafka's pinned jars: fetched once, checked at every start."""

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from streams.embedded.errors import EmbeddedError, load_extra

KAFKA_VERSION: Final = "4.3.0"
FETCH_ATTEMPTS_MAX: Final = 3
FETCH_PAUSE_S: Final = 1.0
FETCH_TIMEOUT_S: Final = 20
FETCHES_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One pinned jar of Kafka's runtime."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where every local Maven repository keeps it."""
        folder = Path(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


Fetch = Callable[[Jar], Path]
OnProgress = Callable[[int, int], None]


def pinned_jars() -> tuple[Jar, ...]:
    """Return the jars that make up Kafka's class path, as listed in the package."""
    listing = files("streams.embedded").joinpath(f"kafka-{KAFKA_VERSION}-runtime.txt").read_text("utf-8")
    return tuple(_parse(line) for line in listing.splitlines() if line)


def resolve_jars(
    jars: Sequence[Jar], fetch: Fetch, on_progress: OnProgress | None = None
) -> tuple[Path, ...]:
    """Return where the jars are, in the same order, each checked against its sha256.

    Hashing all 45 MB takes less than 0.1 s, so it is done at every start instead of trusting a stamp.

    Args:
        jars: the pinned ones.
        fetch: returns a jar's path, downloading it when it is not there.
        on_progress: told (done, total) after each jar, in the calling thread.

    Raises:
        EmbeddedError: a jar cannot be had, or is not the pinned one.
    """
    pool = ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="kafka-jars")
    try:
        checks: list[Future[Path]] = [pool.submit(_fetch_checked, jar, fetch) for jar in jars]
        for done, check in enumerate(as_completed(checks), start=1):
            check.result()
            if on_progress is not None:
                on_progress(done, len(jars))
        return tuple(check.result() for check in checks)
    finally:
        pool.shutdown(cancel_futures=True)


def maven_fetch() -> Fetch:
    """Return a fetch that goes through jgo to the local Maven repository, and to Maven Central for the rest.

    Each jar is asked for by itself: resolved transitively, jgo mixes other versions in.

    Raises:
        EmbeddedError: jgo is not installed.
    """
    maven = load_extra("jgo.maven")
    repository: Path = maven.MavenContext().repo_cache

    def fetch(jar: Jar) -> Path:
        kept = repository / jar.path
        if not kept.exists():
            _download(jar, maven, kept)
        return kept

    return fetch


def _download(jar: Jar, maven: Any, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    # The jar appears in the shared repository whole or not at all, whatever else starts or dies meanwhile.
    with TemporaryDirectory(prefix=".pressline-", dir=kept.parent) as scratch:
        context = maven.MavenContext(repo_cache=Path(scratch), timeout=FETCH_TIMEOUT_S)
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        Path(component.artifact().resolve()).replace(kept)


def _parse(line: str) -> Jar:
    coordinates, checksum, _size_bytes = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group=group, artifact=artifact, version=version, sha256=checksum.removeprefix("sha256:"))


def _fetch_checked(jar: Jar, fetch: Fetch) -> Path:
    path = _fetch_with_retries(jar, fetch)
    if _sha256(path) == jar.sha256:
        return path
    # A download that was cut off, or a damaged disk: one fresh copy settles which.
    path.unlink(missing_ok=True)
    path = _fetch_with_retries(jar, fetch)
    observed = _sha256(path)
    if observed != jar.sha256:
        path.unlink(missing_ok=True)
        raise EmbeddedError(
            f"{jar} arrived twice with another content than the pinned one (sha256 seen {observed}, expected "
            f"{jar.sha256}): the network or a mirror in between changes downloads; try from another network"
        )
    return path


def _fetch_with_retries(jar: Jar, fetch: Fetch) -> Path:
    for attempt in range(1, FETCH_ATTEMPTS_MAX + 1):
        try:
            return fetch(jar)
        except Exception as error:  # jgo lets errors of several libraries through
            if attempt == FETCH_ATTEMPTS_MAX:
                raise _unreachable(jar, error) from error
            time.sleep(FETCH_PAUSE_S)
    raise AssertionError(FETCH_ATTEMPTS_MAX)


def _unreachable(jar: Jar, error: Exception) -> EmbeddedError:
    return EmbeddedError(
        f"Apache Kafka {KAFKA_VERSION} could not be fetched: {jar} failed {FETCH_ATTEMPTS_MAX} times, last "
        f"with {type(error).__name__}: {str(error)[:200]}. The first start needs the network for about 45 MB "
        "from Maven Central: connect and start again (what has arrived is kept), copy a filled "
        "~/.m2/repository from another machine, or set PRESSLINE_BROKERS to a Kafka of your own"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
