"""Fairness: lanes by weight, tenants alike, caps and closed scopes kept, nothing lost."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from processors.fair_queue import FairQueue

WEIGHTS = {"live": 9, "bulk": 1}


def filled(queue: FairQueue[str], **counts: int) -> FairQueue[str]:
    """Put `lane_tenant=count` items."""
    for name, count in counts.items():
        lane, tenant = name.split("_")
        for _ in range(count):
            queue.put(lane, tenant, name)
    return queue


def served(queue: FairQueue[str], count: int) -> Counter[str]:
    return Counter(item for item in (queue.next() for _ in range(count)) if item is not None)


def test_lanes_share_the_work_by_weight_while_both_wait() -> None:
    queue = filled(FairQueue(WEIGHTS), live_acme=500, bulk_acme=500)

    assert served(queue, 100) == {"live_acme": 90, "bulk_acme": 10}


def test_lanes_take_turns_by_weight_where_nothing_stays_in_work() -> None:
    queue = filled(FairQueue(WEIGHTS), live_acme=500, bulk_acme=500)
    turns = []
    for _ in range(100):
        turns.append(queue.next())
        queue.done(str(turns[-1]).split("_", maxsplit=1)[0], "acme")

    assert Counter(turns) == {"live_acme": 90, "bulk_acme": 10}


def test_a_lane_that_was_idle_has_saved_no_turns_up() -> None:
    queue = filled(FairQueue(WEIGHTS), live_acme=900)
    for _ in range(900):
        queue.next()
        queue.done("live", "acme")
    filled(queue, live_acme=100, bulk_acme=100)
    turns = []
    for _ in range(20):
        turns.append(queue.next())
        queue.done(str(turns[-1]).split("_", maxsplit=1)[0], "acme")

    assert turns.count("bulk_acme") <= 3


def test_a_lane_that_worked_alone_owes_no_turns_to_one_that_comes_later() -> None:
    queue = filled(FairQueue(WEIGHTS), live_acme=900)
    for _ in range(900):
        queue.next()
        queue.done("live", "acme")
    filled(queue, bulk_acme=100)
    filled(queue, live_acme=100)
    turns = []
    for _ in range(20):
        turns.append(queue.next())
        queue.done(str(turns[-1]).split("_", maxsplit=1)[0], "acme")

    assert turns.count("live_acme") >= 17


def test_a_lane_alone_has_everything() -> None:
    assert served(filled(FairQueue(WEIGHTS), bulk_acme=50), 50) == {"bulk_acme": 50}


def test_a_late_live_item_goes_before_a_full_bulk_lane() -> None:
    queue = filled(FairQueue(WEIGHTS), bulk_acme=1000)
    served(queue, 500)
    filled(queue, live_beta=1)

    assert queue.next() == "live_beta"


def test_a_flooding_tenant_gets_no_more_than_its_share_while_others_wait() -> None:
    queue = filled(FairQueue(WEIGHTS), bulk_flood=10_000, bulk_b=40, bulk_c=40)

    assert served(queue, 90) == {"bulk_flood": 30, "bulk_b": 30, "bulk_c": 30}


def test_who_has_much_in_work_waits_for_who_has_little() -> None:
    queue = filled(FairQueue(WEIGHTS), bulk_flood=100)
    served(queue, 60)
    filled(queue, bulk_late=40)

    assert served(queue, 40) == {"bulk_late": 40}


def test_a_tenant_at_its_cap_waits_until_one_of_its_own_is_done() -> None:
    queue = filled(FairQueue(WEIGHTS, tenant_max=3), bulk_acme=10)

    assert served(queue, 10) == {"bulk_acme": 3}
    queue.done("bulk", "acme")
    assert served(queue, 10) == {"bulk_acme": 1}


def test_what_is_closed_waits_and_does_not_stop_the_rest() -> None:
    closed = {("live", "acme")}
    queue: FairQueue[str] = FairQueue(WEIGHTS, closed=lambda lane, tenant: (lane, tenant) in closed)
    filled(queue, live_acme=5, live_beta=5, bulk_acme=5)

    assert served(queue, 20) == {"live_beta": 5, "bulk_acme": 5}
    closed.clear()
    assert served(queue, 20) == {"live_acme": 5}


def test_of_a_tenant_the_oldest_goes_first_whenever_it_came() -> None:
    queue: FairQueue[str] = FairQueue(WEIGHTS)
    for item, since in (("new", 7), ("newer", 8), ("old", 2), ("as old", 2), ("oldest", 1)):
        queue.put("bulk", "acme", item, since)

    assert [queue.next() for _ in range(5)] == ["oldest", "old", "as old", "new", "newer"]


def test_what_is_swept_is_gone_and_the_rest_keeps_its_turn() -> None:
    queue = filled(FairQueue(WEIGHTS), bulk_lost=3, bulk_kept=2)

    assert queue.sweep(lambda item: item == "bulk_lost") == ["bulk_lost"] * 3
    assert (len(queue), served(queue, 9)) == (2, {"bulk_kept": 2})


def test_what_is_removed_is_gone_and_who_waits_no_more_is_forgotten() -> None:
    queue = filled(FairQueue(WEIGHTS), bulk_a=2, bulk_b=1)

    queue.remove("bulk", "b", "bulk_b")
    queue.remove("bulk", "b", "bulk_b")
    queue.remove("bulk", "a", "another")

    assert (len(queue), served(queue, 9)) == (2, {"bulk_a": 2})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "next", "done", "sweep", "remove"]),
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
    )
)


@given(STEPS)
def test_every_item_comes_out_once_in_its_tenants_order(steps: list[tuple[str, str, str]]) -> None:
    queue: FairQueue[tuple[str, str, int]] = FairQueue({"a": 3, "b": 1})
    put, out, in_work, removed = 0, [], [], list[tuple[str, str, int]]()
    for action, lane, tenant in steps:
        if action == "put":
            queue.put(lane, tenant, (lane, tenant, put))
            put += 1
        elif action == "next" and (item := queue.next()) is not None:
            out.append(item)
            in_work.append(item[:2])
        elif action == "done" and in_work:
            queue.done(*in_work.pop())
        elif action == "sweep":
            out += queue.sweep(lambda item, tenant=tenant: item[1] == tenant)  # type: ignore[misc]
        elif action == "remove" and (waiting := [item for item in queue if item[1] == tenant]):
            queue.remove(*waiting[-1][:2], waiting[-1])
            removed.append(waiting[-1])
    left = list(queue)

    assert len(queue) == len(left)
    assert sorted(number for *_, number in (*out, *left, *removed)) == list(range(put))
    by_tenant: dict[tuple[str, str], list[int]] = {}
    for lane, tenant, number in out:
        by_tenant.setdefault((lane, tenant), []).append(number)
    assert all(numbers == sorted(numbers) for numbers in by_tenant.values())


@given(STEPS)
def test_an_idle_queue_remembers_no_tenant(steps: list[tuple[str, str, str]]) -> None:
    queue: FairQueue[tuple[str, str]] = FairQueue({"a": 3, "b": 1})
    for _, lane, tenant in steps:
        queue.put(lane, tenant, (lane, tenant))
    while (item := queue.next()) is not None:
        queue.done(*item)

    assert all(not lane.tenants and not lane.ready for lane in queue._lanes.values())
