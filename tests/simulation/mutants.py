"""Bugs to plant: each a small patch of the real code, and the invariants of which one must notice it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import TopicPartition

from fakes.journal import FakeJournal
from processors import disposition
from processors.breakers import Breakers
from processors.errors import ScopeClosedError
from processors.fair_queue import FairQueue
from processors.gateway import bucket, plan
from processors.gateway.bucket import Bucket
from processors.gateway.gateway import Gateway
from processors.gateway.journal_writer import JournalWriter
from processors.gateway.lender import Lender
from processors.gateway.limits import ProviderLimits
from processors.gateway.places import Places
from streams.engine import commit_metadata, delivery, partitions
from streams.engine.delivery import RecordDelivery
from streams.engine.gate import StageGate
from streams.engine.group import GroupMember
from streams.engine.intake import Intake, Ordering
from streams.engine.partitions import HeldPartition, HeldPartitions
from streams.engine.producer import RecordProducer
from streams.engine.records import Attempts
from streams.engine.session import Session
from streams.engine.slots import Slot, Slots
from streams.engine.window import Window
from streams.redelivery import Redelivery
from streams.redelivery_routes import Routes

from .patching import patched

WALL_TO_LOOP_S = 1_767_225_600.0 - 1000.0
"""The wall clock's start less the loop's: a limiter on the wall clock works until that one jumps."""

Patch = tuple[Any, str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A planted bug.

    Attributes:
        name: what is wrong.
        caught_by: invariants of which at least one must be violated.
        patches: makes the patches from the code as it is.
        first_seed: where to begin to look: few seeds have what it takes to notice it.
    """

    name: str
    caught_by: frozenset[str]
    patches: Callable[[], Iterable[Patch]]
    first_seed: int = 1


@contextlib.contextmanager
def planted(mutant: Mutant | None) -> Iterator[None]:
    """Run with that bug, or with none."""
    with contextlib.ExitStack() as stack:
        for owner, name, value in mutant.patches() if mutant is not None else ():
            stack.enter_context(patched(owner, name, value))
        yield


def _commit_before_finish() -> Iterator[Patch]:
    yield HeldPartition, "progress", lambda self, _bytes_max: (self.window.next_offset, "")


def _bitmap_off_by_one() -> Iterator[Patch]:
    encode = commit_metadata.encode
    yield (
        commit_metadata,
        "encode",
        lambda offset, finished, bytes_max: encode(offset, [o + 1 for o in finished], bytes_max),
    )


def _bitmap_ignores_gaps() -> Iterator[Patch]:
    encode = commit_metadata.encode

    def encode_solid(offset: int, finished: Any, bytes_max: int) -> str:
        return encode(offset, range(offset, max(finished, default=offset - 1) + 1), bytes_max)

    yield commit_metadata, "encode", encode_solid


def _lost_partition_still_sends() -> Iterator[Patch]:
    yield RecordDelivery, "lost", property(lambda _: False)


def _send_not_awaited() -> Iterator[Patch]:
    async def send(self: Any, records: Any) -> None:
        for record in records:
            await self._queue(self._producer, record)

    yield RecordProducer, "send", send


def _limiter_on_the_wall_clock() -> Iterator[Patch]:
    def leak(self: Any) -> None:
        now_s = time.time() - WALL_TO_LOOP_S
        self._level = max(0.0, self._level - (now_s - self._leaked_at_s) * self._rate_per_s())
        self._leaked_at_s = now_s

    yield Bucket, "_leak", leak


def _new_share_starts_empty() -> Iterator[Patch]:
    def restart(self: Any, _depth_before: float) -> None:
        self._level = 0.0
        self._changed.set()

    yield Bucket, "_restart", restart


def _limit_overdrawn() -> Iterator[Patch]:
    yield bucket, "HEADROOM", 1.2


def _places_not_counted() -> Iterator[Patch]:
    async def take(self: Any) -> None:
        self.taken += 1

    yield Places, "take", take


def _share_outlasts_the_session() -> Iterator[Patch]:
    yield Session, "_end", lambda _self: None


def _share_used_through_a_rebalance() -> Iterator[Patch]:
    async def revoked(self: Any, _revoked: Any) -> None:
        await self._commit(self.partitions.revoke().items())

    yield GroupMember, "on_partitions_revoked", revoked


def _share_lent_and_used() -> Iterator[Patch]:
    def apply(self: Any) -> None:
        usable = self._share + self._borrowed
        if usable != self._limits.share:
            self._limits.set_share(usable)

    yield Lender, "_apply", apply


def _pause_ignored() -> Iterator[Patch]:
    yield ProviderLimits, "pause", lambda _self, _seconds: None


def _hold_of_a_stage_ignored() -> Iterator[Patch]:
    yield StageGate, "closed", lambda _self, _topic, _tenant: False


def _hold_of_a_provider_ignored() -> Iterator[Patch]:
    unwanted = Gateway._unwanted

    def ignoring(self: Any, plan: Any) -> Any:
        found = unwanted(self, plan)
        held = isinstance(found, ScopeClosedError) and found.retry_after_s is None
        return None if held else found

    yield Gateway, "_unwanted", ignoring


def _breaker_never_probes() -> Iterator[Patch]:
    def refusal(self: Any, scope: Any) -> ScopeClosedError | None:
        breaker = self._breakers.get(scope)
        if breaker is None or breaker.open_until_s is None:
            return None
        return ScopeClosedError(scope, breaker.why)

    yield Breakers, "refusal", refusal


def _begins_at_the_committed_offset() -> Iterator[Patch]:
    assign = GroupMember._assign

    async def assign_and_seek(self: Any, assigned: Any) -> None:
        await assign(self, assigned)
        for partition, held in self.partitions.items():
            if held.committed is not None:
                self._consumer.seek(TopicPartition(*partition), held.committed[0])

    yield GroupMember, "_assign", assign_and_seek


def _finished_not_skipped() -> Iterator[Patch]:
    init = Window.__init__
    yield Window, "__init__", lambda self, start, _finished=(): init(self, start)


def _full_window_goes_on_after_a_rebalance() -> Iterator[Patch]:
    assign = GroupMember._assign

    async def assign_resumed(self: Any, assigned: Any) -> None:
        await assign(self, assigned)
        for partition, held in self.partitions.items():
            held.paused = False
            self._consumer.resume(TopicPartition(*partition))

    yield GroupMember, "_assign", assign_resumed


def _any_partition_comes_straight_back() -> Iterator[Patch]:
    assign = HeldPartitions.assign

    def assign_at_once(self: Any, committed: Any, generation: int) -> None:
        self.generation = generation - 1
        assign(self, committed, generation)

    yield HeldPartitions, "assign", assign_at_once
    yield partitions, "_unchanged", lambda held, _state: not held.lost


def _answer_written_later() -> Iterator[Patch]:
    answered = JournalWriter.answered

    async def later(self: Any, key: Any, answer: Any) -> None:
        async def write() -> None:
            await asyncio.sleep(1.0)
            await answered(self, key, answer)

        self.writing = asyncio.get_running_loop().create_task(write())

    yield JournalWriter, "answered", later


def _live_intent_bought_again() -> Iterator[Patch]:
    yield FakeJournal, "_live", lambda _self, _call: False


def _kept_writes_wait_to_be_asked_for() -> Iterator[Patch]:
    yield JournalWriter, "_sweep_later", lambda _self: None


def _retries_unbounded() -> Iterator[Patch]:
    yield disposition, "_exhausted", lambda _error, _failures, _policy: False


def _attempts_forgotten_in_a_tier() -> Iterator[Patch]:
    yield delivery, "earlier_attempts", lambda _headers, _now, _now_s: Attempts()


def _tier_left_too_early() -> Iterator[Patch]:
    yield Routes, "_due", lambda _self, _record, now: now


def _redelivery_takes_failed_for_sent() -> Iterator[Patch]:
    sent = Redelivery._sent

    async def sent_at_once(self: Any, records: Any, now: Any) -> set[int]:
        await sent(self, records, now)
        return {record.offset for record in records}

    yield Redelivery, "_sent", sent_at_once


def _slot_kept_at_a_failure() -> Iterator[Patch]:
    leave = RecordDelivery._leave

    def leave_keeping(self: Any, error: Any, disposition: Any) -> Any:
        self.slot = Slot(Slots(1))
        return leave(self, error, disposition)

    yield RecordDelivery, "_leave", leave_keeping


def _dead_letter_dropped() -> Iterator[Patch]:
    yield RecordDelivery, "_leave", lambda _self, _error, _disposition: ()


def _tenant_bound_ignored() -> Iterator[Patch]:
    next_tenant = FairQueue._next_tenant

    def next_of_any(self: Any, lane_name: str, lane: Any) -> str | None:
        self._tenant_max = None
        return next_tenant(self, lane_name, lane)

    yield FairQueue, "_next_tenant", next_of_any


def _work_never_counted_as_done() -> Iterator[Patch]:
    yield FairQueue, "done", lambda _self, _lane, _tenant: None


def _budget_not_asked() -> Iterator[Patch]:
    yield plan, "_within", lambda _request, _cost: None


def _keys_side_by_side() -> Iterator[Patch]:
    take = Intake.take

    def take_unordered(self: Any, record: Any, held: Any) -> None:
        self._settings = replace(self._settings, ordering=Ordering.UNORDERED)
        take(self, record, held)

    yield Intake, "take", take_unordered


def _mutant(patches: Callable[[], Iterable[Patch]], *caught_by: str, first_seed: int = 1) -> Mutant:
    name = patches.__name__.removeprefix("_")
    return Mutant(name=name, caught_by=frozenset(caught_by), patches=patches, first_seed=first_seed)


MUTANTS = (
    _mutant(_commit_before_finish, "commit_passes_unfinished"),
    _mutant(_bitmap_off_by_one, "commit_passes_unfinished"),
    _mutant(_bitmap_ignores_gaps, "commit_passes_unfinished"),
    _mutant(_lost_partition_still_sends, "sends_after_loss", first_seed=6),
    _mutant(_send_not_awaited, "commit_passes_unfinished"),
    _mutant(_finished_not_skipped, "finished_again"),
    _mutant(_begins_at_the_committed_offset, "commits_go_back", "finished_again"),
    _mutant(_full_window_goes_on_after_a_rebalance, "window_too_wide", first_seed=60),
    _mutant(_any_partition_comes_straight_back, "commits_go_back", "finished_again", first_seed=2),
    _mutant(_slot_kept_at_a_failure, "slots_leaked"),
    _mutant(_dead_letter_dropped, "commit_passes_unfinished"),
    _mutant(_keys_side_by_side, "keys_at_once"),
    _mutant(_tenant_bound_ignored, "too_many_at_once", first_seed=5),
    _mutant(_work_never_counted_as_done, "slots_leaked"),
    _mutant(_retries_unbounded, "attempts_unbounded"),
    _mutant(_attempts_forgotten_in_a_tier, "liveness", first_seed=8),
    _mutant(_tier_left_too_early, "back_before_due", first_seed=8),
    _mutant(_redelivery_takes_failed_for_sent, "lost_tasks", first_seed=190),
    _mutant(_hold_of_a_stage_ignored, "begins_while_held", first_seed=6),
    _mutant(_hold_of_a_provider_ignored, "calls_in_pause"),
    _mutant(_breaker_never_probes, "liveness", first_seed=4),
    _mutant(_limiter_on_the_wall_clock, "rate_limit", first_seed=393),
    _mutant(_new_share_starts_empty, "rate_limit", first_seed=11),
    _mutant(_limit_overdrawn, "rate_limit", first_seed=6),
    _mutant(_places_not_counted, "concurrency"),
    _mutant(_share_outlasts_the_session, "shares_over_one", first_seed=13),
    _mutant(_share_used_through_a_rebalance, "shares_over_one", first_seed=17),
    _mutant(_share_lent_and_used, "shares_over_one", first_seed=6),
    _mutant(_pause_ignored, "calls_in_pause"),
    _mutant(_budget_not_asked, "budgets"),
    _mutant(_answer_written_later, "answer_not_durable"),
    _mutant(_live_intent_bought_again, "repeated_calls", first_seed=13),
    _mutant(_kept_writes_wait_to_be_asked_for, "liveness", first_seed=486),
)
