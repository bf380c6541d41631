"""A task's identities: the same for the same content, another for any other."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from builders import INPUTS, NOW, a_task
from schemas.base import Lane, Risk
from schemas.codec import decode, encode
from schemas.task import PublishTarget, Task

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
OTHERS: list[dict[str, Any]] = [
    {"task_id": "other"},
    {"inputs": {**INPUTS, "from_city": "Lyon"}},
    {"tenant": "other"},
    {"batch_id": "batch-2"},
    {"row": 2},
    {"lane": Lane.LIVE},
    {"risk": Risk.HIGH},
    {"order_key": "k"},
    {"deadline": NOW},
]


@given(
    st.dictionaries(NAMES, st.integers() | st.text(max_size=10), max_size=8),
    st.randoms(use_true_random=False),
)
def test_identities_do_not_depend_on_the_order_of_inputs(inputs: dict[str, Any], random: Any) -> None:
    shuffled = list(inputs.items())
    random.shuffle(shuffled)
    one, other = a_task(inputs=inputs), a_task(inputs=dict(shuffled))

    assert one.submission_id == other.submission_id
    assert one.revision("1") == other.revision("1")


def test_identities_survive_the_wire() -> None:
    task = a_task()

    assert decode(encode(task), Task).submission_id == task.submission_id


@pytest.mark.parametrize(
    ("inputs", "identity"),
    [
        (
            {"b": [1, None, True, {"z": "é\n\u2028", "a": -0.5}], "a": 12345678901234567890123},
            "a06fb8ea4659261ec7fb",
        ),
        ({"far": 1e16, "near": 1.5e-05, "city": "Łódź"}, "d24b3ddc8b04808785fe"),
        ({"number": 7}, "64769cd24c56c76e722f"),
    ],
)
def test_kept_identities_never_change(inputs: dict[str, Any], identity: str) -> None:
    assert Task(task_id="kept", recipe="page", inputs=inputs).submission_id == identity


@pytest.mark.parametrize("changes", OTHERS)
def test_any_other_content_is_another_submission(changes: dict[str, Any]) -> None:
    assert a_task(**changes).submission_id != a_task().submission_id


def test_a_revision_is_the_work_itself_and_not_how_it_came() -> None:
    task = a_task()
    same = [a_task(batch_id="b2"), a_task(row=9), a_task(priority=9), a_task(team="x"), a_task(deadline=NOW)]
    other = [
        a_task(task_id="x"),
        a_task(tenant="x"),
        a_task(inputs={"a": 1}),
        a_task(target=PublishTarget(site="x", slug=None)),
    ]

    assert {each.revision("1") for each in same} == {task.revision("1")}
    assert task.revision("1") not in {task.revision("2"), *(each.revision("1") for each in other)}


def test_the_order_key_is_the_records_key_where_there_is_one() -> None:
    assert a_task().key == b"flight-route/CDG-FCO"
    assert a_task(order_key="é").key == "é".encode()


def test_a_task_expires_at_its_deadline() -> None:
    task = a_task(deadline=NOW)

    assert [task.expired(NOW + timedelta(seconds=s)) for s in (-1, 0, 1)] == [False, True, True]
    assert not a_task().expired(NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"task_id": ""},
        {"task_id": "-a"},
        {"task_id": "a" * 201},
        {"task_id": "a b"},
        {"task_id": "a\n"},
        {"inputs": {"1a": 1}},
        {"inputs": {f"a{n}": 1 for n in range(201)}},
        {"row": 0},
        {"priority": 10},
        {"budget_usd": 0},
        {"order_key": ""},
        {"target": {"site": "s", "slug": "Not-A-Slug"}},
    ],
)
def test_what_a_task_may_not_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_task(**changes)
