"""A classic consumer group as its coordinator keeps it: generations, sessions, rebalances, fenced commits.

Source: https://cwiki.apache.org/confluence/display/KAFKA/Kafka+Client-side+Assignment+Proposal
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from .history import History
from .loop import OUTSIDE, Process

Place = tuple[str, int]
HEARTBEAT_S = 1.0
INITIAL_DELAY_S = 0.5


class State(StrEnum):
    """Kafka's own names of a group's states."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Client(Protocol):
    """The member's own side."""

    process: Process
    heartbeat_s: float | None
    """When it last heartbeat, where it tells; else it was within HEARTBEAT_S."""

    def heartbeat_within(self, seconds: float) -> None:
        """Heartbeat once within that time, in the member's own process."""


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """A member as the coordinator knows it."""

    member_id: str
    client: Client
    metadata: Any
    joining: "asyncio.Future[Joined] | None" = None
    syncing: "asyncio.Future[Any] | None" = None
    expiry: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Answer to JoinGroup; `members` is empty for all but the leader."""

    generation: int
    member_id: str
    members: Mapping[str, Any]


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """The coordinator of one group.

    Attributes:
        name: of the group.
        on_commit: told of each commit that was accepted: place, before, after.
    """

    name: str
    history: History
    rng: random.Random
    session_s: float
    on_commit: Callable[[Place, tuple[int, str] | None, tuple[int, str]], None]
    state: State = State.EMPTY
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[Place, tuple[int, str]] = field(default_factory=dict)
    _leader: str = ""
    _assignments: Mapping[str, Any] = field(default_factory=dict)
    _deadline: asyncio.TimerHandle | None = None
    _joined: int = 0

    def join(self, member_id: str, client: Client, metadata: Any) -> "asyncio.Future[Joined]":
        """Answer when all members have joined, or the slow ones are put out."""
        if member_id and member_id not in self.members:
            raise UnknownMemberIdError("simulated: not a member")
        if not member_id:
            self._joined += 1
            member_id = f"{client.process.name}-{self._joined}"
            self.members[member_id] = Member(member_id=member_id, client=client, metadata=metadata)
        member = self.members[member_id]
        member.metadata = metadata
        member.joining = asyncio.get_running_loop().create_future()
        self._cancel_expiry(member)
        joining = member.joining
        if self.state is not State.PREPARING:
            self._prepare()
        self._complete_if_all_joined()
        return joining

    def sync(self, member_id: str, generation: int, assignments: Mapping[str, Any] | None) -> Any:
        """Answer with the member's assignment when the leader has brought it."""
        member = self._checked(member_id, generation)
        if self.state is State.PREPARING:
            raise RebalanceInProgressError("simulated: another round of joining has begun")
        if self.state is State.STABLE:
            return self._assignments[member_id]
        member.syncing = asyncio.get_running_loop().create_future()
        syncing = member.syncing
        if assignments is not None:
            self._stabilize(assignments)
        return syncing

    def heartbeat(self, member_id: str, generation: int) -> None:
        """Live on for another session.

        Raises:
            KafkaError: not a member, another generation, or the group rebalances.
        """
        member = self._checked(member_id, generation)
        self._cancel_expiry(member)
        if self.state is State.PREPARING and member.joining is None:
            raise RebalanceInProgressError("simulated: join again")

    def leave(self, member_id: str) -> None:
        """Be a member no longer."""
        if member_id in self.members:
            self.history.note("leave", self.name, member_id)
            self._remove(self.members[member_id])

    def commit(self, member_id: str, generation: int, offsets: Mapping[Any, Any]) -> None:
        """Commit; fenced by member and generation, as Kafka does it.

        A commit without a member, as a client makes it that does not use the group, is accepted while the
        group is empty.
        """
        if not (generation < 0 and self.state is State.EMPTY):
            self._checked(member_id, generation)
            if self.state is State.COMPLETING:
                raise RebalanceInProgressError("simulated: the assignment is not there yet")
        for tp, (offset, metadata) in offsets.items():
            place = (tp.topic, tp.partition)
            before = self.committed.get(place)
            self.committed[place] = (offset, metadata)
            self.history.note("commit", self.name, member_id, generation, *place, offset, metadata)
            self.on_commit(place, before, (offset, metadata))

    def silence(self, process: Process) -> None:
        """No heartbeat comes from that process any more."""
        for member in self.members.values():
            if member.client.process is process and member.joining is None and member.expiry is None:
                self._expire_later(member, self.session_s - self._silent_s(member.client))

    def _silent_s(self, client: Client) -> float:
        if client.heartbeat_s is None:
            return self.rng.uniform(0.0, HEARTBEAT_S)
        return min(asyncio.get_running_loop().time() - client.heartbeat_s, self.session_s)

    def _checked(self, member_id: str, generation: int) -> Member:
        if member_id not in self.members:
            raise UnknownMemberIdError("simulated: not a member")
        if generation != self.generation:
            raise IllegalGenerationError(f"simulated: generation {generation}, now {self.generation}")
        return self.members[member_id]

    def _prepare(self) -> None:
        delay_s = INITIAL_DELAY_S if self.state is State.EMPTY else self.session_s
        self.state = State.PREPARING
        self.history.note("rebalance", self.name, self.generation)
        for member in self.members.values():
            if member.syncing is not None and not member.syncing.done():
                member.syncing.set_exception(RebalanceInProgressError("simulated: join again"))
            member.syncing = None
            if member.joining is None:
                member.client.heartbeat_within(HEARTBEAT_S)
        self._set_deadline(delay_s, self._complete)

    def _complete_if_all_joined(self) -> None:
        if self.generation > 0 and all(member.joining is not None for member in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        self._set_deadline(None, None)
        for member in tuple(self.members.values()):
            if member.joining is None:
                self.history.note("expel", self.name, member.member_id, "did not join")
                self._cancel_expiry(member)
                del self.members[member.member_id]
        self.generation += 1
        if not self.members:
            self.state = State.EMPTY
            return
        self.state = State.COMPLETING
        if self._leader not in self.members:
            self._leader = next(iter(self.members))
        self.history.note("generation", self.name, self.generation, *self.members)
        self._answer_joins()
        self._set_deadline(self.session_s, self._sync_too_late)

    def _answer_joins(self) -> None:
        everybody = {member.member_id: member.metadata for member in self.members.values()}
        for member in self.members.values():
            joining, member.joining = member.joining, None
            self._expire_later(member, self.session_s)
            if joining is not None and not joining.done():
                leads = member.member_id == self._leader
                joining.set_result(
                    Joined(
                        generation=self.generation,
                        member_id=member.member_id,
                        members=everybody if leads else {},
                    )
                )

    def _stabilize(self, assignments: Mapping[str, Any]) -> None:
        self._set_deadline(None, None)
        self._assignments = assignments
        self.state = State.STABLE
        for member in self.members.values():
            if member.syncing is not None and not member.syncing.done():
                member.syncing.set_result(assignments[member.member_id])
                self._cancel_expiry(member)
                self._expire_later(member, self.session_s)
            member.syncing = None

    def _sync_too_late(self) -> None:
        self._deadline = None
        self._remove(self.members[self._leader])

    def _remove(self, member: Member) -> None:
        self._cancel_expiry(member)
        del self.members[member.member_id]
        if member.joining is not None and not member.joining.done():
            member.joining.set_exception(UnknownMemberIdError("simulated: not a member"))
        if self.state is not State.PREPARING:
            self._prepare()
        self._complete_if_all_joined()

    def _expire_later(self, member: Member, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._cancel_expiry(member)
        member.expiry = loop.call_later(seconds, self._expire, member, context=OUTSIDE)

    def _expire(self, member: Member) -> None:
        member.expiry = None
        waits = member.joining is not None or member.syncing is not None
        if self.members.get(member.member_id) is member and not waits:
            self.history.note("expel", self.name, member.member_id, "silent")
            self._remove(member)

    def _cancel_expiry(self, member: Member) -> None:
        if member.expiry is not None:
            member.expiry.cancel()
            member.expiry = None

    def _set_deadline(self, seconds: float | None, then: Callable[[], None] | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None and then is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(seconds, then, context=OUTSIDE)
