"""Whether a broker really answers: an open port alone does not mean that it takes records."""

import asyncio
import logging
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.embedded import ports

PROBE_S_MAX: Final = 2.0
CONNECT_S_MAX: Final = 0.5

# A broker that is not ready yet is expected here; the client's complaints about it would mislead.
_client_log: Final = logging.getLogger("aiokafka")


def brokers_seen(port: int) -> frozenset[int]:
    """Return the ids of the brokers that the one on this port knows to be ready for clients.

    Blocking, and of no event loop: it runs one of its own, so it must be called from a thread without any.

    Args:
        port: the client port.

    Returns:
        none while it does not answer.
    """
    if not ports.is_answering(port, timeout_s=CONNECT_S_MAX):
        return frozenset()
    level = _client_log.level
    _client_log.setLevel(logging.CRITICAL)
    try:
        return asyncio.run(asyncio.wait_for(_ask(port), PROBE_S_MAX))
    except (KafkaError, TimeoutError, OSError):
        return frozenset()
    finally:
        _client_log.setLevel(level)


async def _ask(port: int) -> frozenset[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{ports.LOOPBACK}:{port}", client_id="pressline-probe")
    try:
        await admin.start()
        description = await admin.describe_cluster()
    finally:
        await admin.close()
    return frozenset(broker["node_id"] for broker in description["brokers"])
