"""A worker that is stopped: calls in flight end, nothing is bought twice, the group is left."""

import pytest

from fixtures.broker import until
from fixtures.worker import Deployment, terminate

pytestmark = pytest.mark.integration

CALLS = 500
CALL_S = 5.0
DRAIN_S = 30.0
LONG_S = 60.0
MEMBERS = 5
"""Place of the members in a group's description."""
EXIT_SECOND_SIGNAL = 130


async def test_sigterm_drains_all_calls_in_flight_and_no_call_is_made_again(deployment: Deployment) -> None:
    await deployment.start_provider(latency={"kind": "fixed", "seconds": CALL_S})
    worker, _ = await deployment.start_worker(DRAIN_S=DRAIN_S, IN_FLIGHT=CALLS)
    await deployment.submit(CALLS)
    await until(lambda: len(deployment.provider_lines("request")) >= CALLS)
    in_flight = CALLS - len(deployment.provider_lines("answered"))

    exit_code = await terminate(worker, within_s=DRAIN_S)

    answered = deployment.provider_lines("answered")
    assert exit_code == 0
    assert await members(deployment, "pressline-generate") == 0
    assert in_flight > CALLS / 2
    assert {line["outcome"] for line in answered} == {"sent"}
    await deployment.start_worker()
    await until(lambda: deployment.has_finished(CALLS), within_s=90)
    calls = [line["call"] for line in deployment.provider_lines("request")]
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize("name", [None, "worker-0"])
async def test_calls_that_wait_for_their_turn_do_not_hold_a_stop_up(
    deployment: Deployment, name: str | None
) -> None:
    catalogue = deployment.catalogue(requests_per_minute=3)
    await deployment.start_provider()
    named = {} if name is None else {"INSTANCE_ID": name}
    worker, _ = await deployment.start_worker(PROVIDERS=catalogue, DRAIN_S=LONG_S, **named)
    await deployment.submit(20)
    await until(lambda: deployment.provider_lines("answered"))

    exit_code = await terminate(worker, within_s=LONG_S / 3)

    assert exit_code == 0
    assert len(deployment.provider_lines("request")) < 20


async def members(deployment: Deployment, group: str) -> int:
    [answer] = await deployment.admin.describe_consumer_groups([group])
    return len(answer.groups[0][MEMBERS])


async def test_a_second_sigterm_stops_at_once_though_a_call_hangs(deployment: Deployment) -> None:
    await deployment.start_provider(latency={"kind": "fixed", "seconds": 25.0})
    worker, _ = await deployment.start_worker(DRAIN_S=60)
    await deployment.submit(3)
    await until(lambda: len(deployment.provider_lines("request")) >= 3)

    exit_code = await terminate(worker, times=2, within_s=5.0)

    assert exit_code == EXIT_SECOND_SIGNAL
    assert deployment.provider_lines("answered") == []
