import asyncio

import pytest

from fakes import virtual_time
from streams.memory import TRIM_S, keep_trimmed


def test_memory_is_trimmed_again_and_again_until_cancelled() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        began_s, trimmed_s = loop.time(), []
        trimming = asyncio.create_task(keep_trimmed(lambda: trimmed_s.append(loop.time() - began_s)))
        await asyncio.sleep(3.5 * TRIM_S)
        trimming.cancel()
        return trimmed_s

    assert virtual_time.run(scene()) == pytest.approx([TRIM_S, 2 * TRIM_S, 3 * TRIM_S], abs=0.01)
