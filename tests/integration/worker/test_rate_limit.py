"""One provider limit over several workers: kept, and used up."""

import pytest

from fixtures.broker import until
from fixtures.worker import Deployment

pytestmark = pytest.mark.integration

LIMIT_PER_MINUTE = 600
WORKERS = 3
TASKS = 1500
SETTLE_S = 15.0
"""From the first call until every worker has its share and works."""
WINDOW_S = 60.0


async def test_three_workers_use_a_provider_limit_up_and_never_pass_it(deployment: Deployment) -> None:
    catalogue = deployment.catalogue(requests_per_minute=LIMIT_PER_MINUTE, concurrency=500)
    await deployment.start_provider(limits={"requests_per_minute": LIMIT_PER_MINUTE})
    await deployment.submit(TASKS)
    for _ in range(WORKERS):
        await deployment.start_worker(PROVIDERS=catalogue)
    began_s = deployment.provider_lines("request")[-1]["monotonic"] + SETTLE_S

    await until(lambda: _last_s(deployment) > began_s + WINDOW_S, within_s=120)

    lines = deployment.provider_lines("request")
    used = sum(began_s <= line["monotonic"] < began_s + WINDOW_S for line in lines)
    print(f"{used} of {LIMIT_PER_MINUTE} in a minute, {len(lines)} in all")  # noqa: T201 - shown by -s
    assert len(lines) < TASKS  # there was backlog all the time
    assert [line for line in lines if line["status"] == 429] == []
    assert 0.95 * LIMIT_PER_MINUTE <= used <= LIMIT_PER_MINUTE


def _last_s(deployment: Deployment) -> float:
    return float(deployment.provider_lines("request")[-1]["monotonic"])
