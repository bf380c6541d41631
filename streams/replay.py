"""Sending dead letters back to where they failed: first what would be sent, then sending it."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import cast

from aiokafka.errors import KafkaError
from aiolimiter import AsyncLimiter

from processors.errors import ClaimLostError, EventTooLargeError
from schemas.failures import DLQ_PREFIX, REPLAY_COUNT, REPLAY_ID, REPLAY_OF, RETRY_HEADERS
from schemas.headers import BATCH_OFFSETS
from streams.claim_checks import ClaimStore
from streams.dead_letters import DeadLetter, Position
from streams.engine.producer import RecordProducer
from streams.engine.records import OutRecord
from streams.letter_claims import whole_letter
from streams.pipeline import PIPELINE
from streams.store.replays import PostgresReplays

REPLAYS_MAX = 5
"""A record that came back so often fails for a reason that a replay does not change."""
PLAN_MAX = 100_000
"""Most letters of one run; their positions are held in memory."""
CHUNK_MAX = 100
SEND_S_MAX = 60.0
"""Longer than the producer itself tries; shorter than a claim holds."""
ORIGINS = frozenset(topic for spec in PIPELINE.values() for topic in spec.topics)
DROPPED = frozenset((REPLAY_OF, REPLAY_ID, REPLAY_COUNT)) | RETRY_HEADERS
"""A replay starts anew: its attempts are not those of the record that was given up."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What a replay would do.

    Attributes:
        positions: the letters that would be sent.
        kinds: how many of them there are of each stage and reason.
        replayed: how many wanted letters were sent back before.
        refused: how many are not sent, by why.
        beyond: how many more could be sent but for the limit.
    """

    positions: frozenset[Position]
    kinds: Mapping[tuple[str, str], int]
    replayed: int
    refused: Mapping[str, int]
    beyond: int

    @property
    def wanted(self) -> int:
        """How many letters matched, whatever becomes of them."""
        return len(self.positions) + self.replayed + sum(self.refused.values()) + self.beyond


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What a replay did; counts up while it runs.

    Attributes:
        sent: acknowledged by the broker.
        elsewhere: left to another run, which has sent them since the plan or is sending them now.
        failed: not acknowledged; free for the next run.
        errors: what went wrong, by class of exception, with its last text.
        stopped: whether the run gave up early because nothing of a chunk could be sent.
    """

    sent: int = 0
    elsewhere: int = 0
    failed: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


async def plan_replay(
    letters: AsyncIterable[Sequence[DeadLetter]], *, limit: int, force: bool = False
) -> ReplayPlan:
    """Return what a replay of `letters` would do.

    Args:
        letters: batches of those that are wanted.
        limit: most letters to send, at most PLAN_MAX.
        force: send also what came back REPLAYS_MAX times.
    """
    positions: set[Position] = set()
    kinds: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    async for batch in letters:
        for letter in batch:
            why = refusal(letter, force=force)
            if letter.replayed_at is not None:
                left["replayed"] += 1
            elif why is not None:
                refused[why] += 1
            elif len(positions) == limit:
                left["beyond"] += 1
            else:
                positions.add(letter.position)
                kinds[letter.stage, letter.reason] += 1
    return ReplayPlan(
        positions=frozenset(positions),
        kinds=kinds,
        replayed=left["replayed"],
        refused=refused,
        beyond=left["beyond"],
    )


def refusal(letter: DeadLetter, *, force: bool = False) -> str | None:
    """Return why the letter may not be sent back, or None.

    Args:
        letter: the letter.
        force: allow what came back REPLAYS_MAX times.
    """
    if letter.origin is None or letter.origin.topic not in ORIGINS:
        return "its headers name no topic that a stage takes"
    if any(name == BATCH_OFFSETS for name, _ in letter.headers):
        return "it is a whole record batch that was refused; `export` has its bytes"
    if letter.replay_count >= REPLAYS_MAX and not force:
        return f"replayed {REPLAYS_MAX} times already (--force sends it again)"
    return None


def replay_record(letter: DeadLetter, origin: Position, replay_id: str) -> OutRecord:
    """Return the record as it was when it failed, with where it comes from in three more headers.

    The key decides the partition: events of that key which are made today go there too.

    Args:
        letter: the letter.
        origin: where it failed.
        replay_id: identity of the run.
    """
    kept = [
        (name, value)
        for name, value in letter.headers
        if not name.startswith(DLQ_PREFIX) and name not in DROPPED
    ]
    added = [
        (REPLAY_OF, str(letter.position).encode()),
        (REPLAY_ID, replay_id.encode()),
        (REPLAY_COUNT, str(letter.replay_count + 1).encode()),
    ]
    # A foreign producer's header may be null; it goes back as null.
    headers = cast("list[tuple[str, bytes]]", [*kept, *added])
    return OutRecord(topic=origin.topic, key=letter.key, value=letter.value, headers=headers)


class Replayer:
    """One run of a replay: claims, sends and records, a chunk at a time.

    Args:
        replays: which letters were sent back.
        producer: sends them.
        claims: where records are that were too large for a dead-letter topic.
        replay_id: identity of this run.
        by: who replays.
        rate: most records per second, at least 1.
    """

    def __init__(
        self,
        replays: PostgresReplays,
        producer: RecordProducer,
        claims: ClaimStore,
        *,
        replay_id: str,
        by: str,
        rate: int,
    ) -> None:
        self.done = Replayed()
        self._replays = replays
        self._producer = producer
        self._claims = claims
        self._large = asyncio.Lock()
        self._replay_id = replay_id
        self._by = by
        # A chunk waits for its share of the rate before it is claimed, so that a claim lasts one send only.
        self._chunk = min(rate, CHUNK_MAX)
        self._limiter = AsyncLimiter(self._chunk, self._chunk / rate)

    async def run(self, letters: AsyncIterable[Sequence[DeadLetter]]) -> Replayed:
        """Send `letters` back and return what was done; stops early when nothing of a chunk could be sent.

        Args:
            letters: batches of what a plan named.

        Raises:
            StoreUnavailableError: the database is away; what is claimed is free again after a while.
        """
        async for batch in letters:
            for first in range(0, len(batch), self._chunk):
                await self._chunk_of(batch[first : first + self._chunk])
                if self.done.stopped:
                    return self.done
        return self.done

    async def _chunk_of(self, letters: Sequence[DeadLetter]) -> None:
        await self._limiter.acquire(len(letters))
        claimed = await self._replays.claim(
            [letter.position for letter in letters], replay_id=self._replay_id, by=self._by
        )
        mine = [letter for letter in letters if letter.position in claimed]
        acknowledged = await asyncio.gather(*(self._sent(letter) for letter in mine))
        sent = [letter.position for letter, ok in zip(mine, acknowledged, strict=True) if ok]
        failed = [letter.position for letter, ok in zip(mine, acknowledged, strict=True) if not ok]
        await self._replays.sent(sent, replay_id=self._replay_id)
        await self._replays.release(failed, replay_id=self._replay_id)
        self.done.sent += len(sent)
        self.done.failed += len(failed)
        self.done.elsewhere += len(letters) - len(mine)
        self.done.stopped = bool(failed) and not sent

    async def _sent(self, letter: DeadLetter) -> bool:
        if letter.origin is None:
            raise AssertionError(f"{letter.position} has no origin: a plan names none such")
        try:
            # One large record at a time: a chunk of them would not fit into memory.
            async with self._large if letter.refers else nullcontext():
                record = replay_record(
                    await whole_letter(letter, self._claims), letter.origin, self._replay_id
                )
                await asyncio.wait_for(self._producer.send([record]), SEND_S_MAX)
        except (KafkaError, ClaimLostError, EventTooLargeError, TimeoutError) as error:
            log.debug("%s was not sent to %s: %r", letter.position, letter.origin.topic, error)
            self.done.errors[type(error).__name__] = str(error)
            return False
        return True
