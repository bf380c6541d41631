"""What persons hold back: the newest change of each scope counts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from schemas.base import Stage
from schemas.codec import decode
from schemas.control import ControlAction, ScopeChanged
from schemas.scope import Scope, ScopeKind
from streams.control import HeldScopes
from streams.control_topic import TOPIC, PlacedChange, control_record

ACME = Scope(ScopeKind.TENANT, "acme")
GENERATE = Scope(ScopeKind.STAGE, "generate")
SCOPES = st.sampled_from([ACME, GENERATE, Scope(ScopeKind.LANE, "bulk")])
CHANGES = st.lists(st.tuples(SCOPES, st.sampled_from(ControlAction)), max_size=20)


def a_change(scope: Scope, action: ControlAction = ControlAction.PAUSED, minute: int = 0) -> ScopeChanged:
    at = NOW + timedelta(minutes=minute)
    return ScopeChanged(kind=scope.kind, name=scope.name, action=action, by="ann", why="audit", at=at)


def after(*changes: ScopeChanged) -> HeldScopes:
    scopes = HeldScopes()
    scopes.apply(PlacedChange(offset=offset, change=change) for offset, change in enumerate(changes))
    return scopes


@given(CHANGES)
def test_a_scope_is_closed_if_its_newest_change_closed_it(changes: list[tuple[Scope, ControlAction]]) -> None:
    made = [a_change(scope, action, minute) for minute, (scope, action) in enumerate(changes)]

    newest = {change.scope: change for change in made}

    assert set(after(*made).held) == {change for change in newest.values() if change.closed}


@given(CHANGES)
def test_compaction_changes_nothing(changes: list[tuple[Scope, ControlAction]]) -> None:
    made = [a_change(scope, action, minute) for minute, (scope, action) in enumerate(changes)]
    newest = {change.scope: change for change in made}

    compacted = [change for change in made if newest[change.scope] is change]

    assert after(*compacted).held == after(*made).held


def test_a_reason_says_who_when_and_why() -> None:
    [why] = after(a_change(ACME)).closed_for("w1").values()

    assert why.startswith("paused by ann at ")
    assert why.endswith(": audit")


def test_a_worker_that_is_held_closes_all_its_stages_and_no_other_worker_does() -> None:
    scopes = after(a_change(Scope(ScopeKind.WORKER, "w1"), ControlAction.DRAINED))

    assert set(scopes.closed_for("w1")) == {Scope(ScopeKind.STAGE, stage) for stage in Stage}
    assert scopes.closed_for("w2") == {}


@pytest.mark.parametrize("action", ControlAction)
def test_a_record_carries_its_change_under_the_key_of_its_scope(action: ControlAction) -> None:
    change = a_change(ACME, action)

    record = control_record(change)

    assert (record.topic, record.key) == (TOPIC, b"tenant:acme")
    assert decode(record.value, ScopeChanged) == change
