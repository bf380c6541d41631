"""One effect per revision, one outcome per submission."""

from datetime import timedelta
from typing import Any

import pytest

from builders import INPUTS, NOW, a_document, a_task, a_validated
from fakes.publications import FakePublications
from fakes.sink import FakeSink
from fakes.stage_ports import a_recipe, some_ports
from processors.errors import InvalidRecipeError, SinkUnavailableError, StoreUnavailableError
from processors.ports import Ports, Recorded
from processors.publish import content_hash, publish
from schemas.base import Outcome, Stage


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


@pytest.fixture
def publications() -> FakePublications:
    return FakePublications()


@pytest.fixture
def ports(sink: FakeSink, publications: FakePublications) -> Ports:
    return some_ports(recipe=a_recipe(), publications=publications, sinks={"files": sink})


async def test_a_page_is_published_with_address_hash_and_everything_of_the_task(
    ports: Ports, sink: FakeSink
) -> None:
    event = a_validated()

    result = await publish(event, ports)

    assert (result.outcome, result.stage) == (Outcome.PUBLISHED, Stage.PUBLISH)
    assert result.url == "https://flights.example/flights-cdg-fco"
    assert result.content_hash == content_hash(event.document)
    assert result.task.inputs == INPUTS
    assert (result.title, result.score, result.spend) == (event.document.title, event.score, event.spend)
    assert sink.log == [(event.plan.revision, True)]


async def test_a_redelivered_page_gets_the_same_end_without_a_call_to_the_sink(
    ports: Ports, sink: FakeSink
) -> None:
    first = await publish(a_validated(), ports)

    again = await publish(a_validated(), ports)

    assert again == first
    assert len(sink.log) == 1


async def test_the_same_content_of_a_new_submission_is_unchanged(ports: Ports, sink: FakeSink) -> None:
    await publish(a_validated(), ports)

    result = await publish(a_validated(task=a_task(batch_id="batch-2")), ports)

    assert result.outcome is Outcome.UNCHANGED
    assert result.url is not None
    assert len(sink.log) == 1


async def test_a_slug_of_another_task_is_rejected_with_its_owner(ports: Ports, sink: FakeSink) -> None:
    await publish(a_validated(), ports)

    result = await publish(a_validated(task=a_task(task_id="other/task")), ports)

    assert result.outcome is Outcome.REJECTED
    assert "belongs to task 'flight-route/CDG-FCO'" in result.reason
    assert len(sink.log) == 1


async def test_a_page_past_its_deadline_is_not_published(
    ports: Ports, sink: FakeSink, publications: FakePublications
) -> None:
    result = await publish(a_validated(task=a_task(deadline=NOW - timedelta(seconds=1))), ports)

    assert result.outcome is Outcome.EXPIRED
    assert sink.log == []
    assert publications.released == publications.claimed


async def test_a_page_published_in_time_stays_published_after_its_deadline(
    ports: Ports, sink: FakeSink, publications: FakePublications
) -> None:
    task = a_task(deadline=NOW - timedelta(seconds=1))
    publications.decided[task.submission_id] = Recorded(
        outcome=Outcome.PUBLISHED, url="https://example.com/a", content_hash="0" * 64
    )

    result = await publish(a_validated(task=task), ports)

    assert result.outcome is Outcome.PUBLISHED
    assert sink.log == []


async def test_a_failed_sink_call_gives_its_claim_back(
    ports: Ports, sink: FakeSink, publications: FakePublications
) -> None:
    sink.error = SinkUnavailableError("disk full")

    with pytest.raises(SinkUnavailableError):
        await publish(a_validated(), ports)

    assert publications.released == publications.claimed
    assert len(publications.released) == 1


async def test_a_crash_between_sink_and_registry_has_one_effect(
    ports: Ports, sink: FakeSink, publications: FakePublications, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(publications, "complete", away)
        with pytest.raises(StoreUnavailableError):
            await publish(a_validated(), ports)

    result = await publish(a_validated(), ports)

    assert result.outcome is Outcome.PUBLISHED
    assert [effect for _, effect in sink.log] == [True, False]


async def test_a_sink_that_is_away_leaves_the_page_undecided(
    ports: Ports, sink: FakeSink, publications: FakePublications
) -> None:
    sink.error = SinkUnavailableError("away")

    with pytest.raises(SinkUnavailableError):
        await publish(a_validated(), ports)

    assert publications.decided == {}


async def test_a_sink_that_this_worker_does_not_have_is_the_recipes_fault() -> None:
    with pytest.raises(InvalidRecipeError, match="names sink 'files', this worker has none"):
        await publish(a_validated(), some_ports(recipe=a_recipe()))


def test_the_hash_covers_what_a_reader_sees_and_nothing_else() -> None:
    plain = content_hash(a_document())
    changes: list[dict[str, Any]] = [
        {"slug": "x"},
        {"title": "x"},
        {"description": "x"},
        {"body": "x"},
        {"data": {"x": 1}},
    ]

    assert len(plain) == 64
    assert len({plain, *(content_hash(a_document(**change)) for change in changes)}) == 6
    assert content_hash(a_document(simulated=True)) == plain


def test_the_hash_does_not_depend_on_the_order_of_data() -> None:
    assert content_hash(a_document(data={"a": 1, "b": 2})) == content_hash(a_document(data={"b": 2, "a": 1}))
