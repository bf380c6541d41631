"""Only the pinned jars are run, and a network that fails is told apart from one that lies."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.embedded import jars
from streams.embedded.errors import EmbeddedError
from streams.embedded.jars import FETCH_ATTEMPTS_MAX, Jar, pinned_jars, resolve_jars

GOOD = b"the pinned content"
JAR = Jar(group="org.example", artifact="thing", version="1.0", sha256=hashlib.sha256(GOOD).hexdigest())


class Repository:
    """Keeps what it fetched, as the local Maven repository does; each fetch brings the next content."""

    def __init__(self, folder: Path, *arrivals: bytes | Exception) -> None:
        self._folder = folder
        self._arrivals = list(arrivals)

    def fetch(self, jar: Jar) -> Path:
        path = self._folder / jar.path.name
        if not path.exists():
            arrival = self._arrivals.pop(0)
            if isinstance(arrival, Exception):
                raise arrival
            path.write_bytes(arrival)
        return path


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "FETCH_PAUSE_S", 0.0)


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Repository]:
    return lambda *arrivals: Repository(tmp_path, *arrivals)


def test_the_package_lists_every_jar_of_kafka_by_its_checksum() -> None:
    pinned = pinned_jars()

    assert len(pinned) == 46
    assert any(jar.artifact == "kafka_2.13" and jar.version == jars.KAFKA_VERSION for jar in pinned)
    assert all(len(jar.sha256) == 64 for jar in pinned)


def test_a_jar_that_was_cut_off_is_fetched_once_more(repository: Callable[..., Repository]) -> None:
    fetch = repository(GOOD[:5], GOOD).fetch

    (path,) = resolve_jars([JAR], fetch)

    assert path.read_bytes() == GOOD


def test_a_jar_that_stays_wrong_is_refused_and_not_kept(
    repository: Callable[..., Repository], tmp_path: Path
) -> None:
    with pytest.raises(EmbeddedError, match=r"org\.example:thing:1\.0 arrived twice"):
        resolve_jars([JAR], repository(b"bad", b"bad again").fetch)

    assert not list(tmp_path.iterdir())


def test_a_network_that_comes_back_is_waited_for(repository: Callable[..., Repository]) -> None:
    failures = [ConnectionError("down")] * (FETCH_ATTEMPTS_MAX - 1)

    (path,) = resolve_jars([JAR], repository(*failures, GOOD).fetch)

    assert path.read_bytes() == GOOD


def test_no_network_says_what_was_fetched_and_what_to_do(repository: Callable[..., Repository]) -> None:
    failures = [ConnectionError("down")] * FETCH_ATTEMPTS_MAX

    with pytest.raises(EmbeddedError, match=r"Apache Kafka .* org\.example:thing:1\.0 .*PRESSLINE_BROKERS"):
        resolve_jars([JAR], repository(*failures).fetch)


def test_progress_counts_up_to_all(repository: Callable[..., Repository]) -> None:
    told: list[tuple[int, int]] = []

    resolve_jars([JAR, JAR], repository(GOOD, GOOD).fetch, lambda done, total: told.append((done, total)))

    assert told == [(1, 2), (2, 2)]
