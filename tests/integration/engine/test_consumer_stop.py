"""Stopping a consumer whose broker does not answer."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError

from fixtures.broker import until
from fixtures.engine import EngineLine
from streams.embedded.kafka import EmbeddedKafka
from streams.engine.record_batches import BoundedConsumer

pytestmark = pytest.mark.integration


async def test_a_fetch_that_waits_to_be_tried_again_does_not_cancel_who_stops_the_consumer(
    kafka: EmbeddedKafka, line: EngineLine
) -> None:
    await line.create(line.topic)
    consumer = BoundedConsumer(bootstrap_servers=kafka.bootstrap_servers, retry_backoff_ms=60_000)
    consumer.assign([TopicPartition(line.topic, 0)])
    await consumer.start()
    refused = asyncio.Event()

    async def refuse(*_request: Any, **_options: Any) -> None:
        refused.set()
        raise NodeNotReadyError("the node is away")

    await consumer.seek_to_beginning()
    consumer._client.send = refuse
    await until(refused.is_set)

    await consumer.stop()

    connections = consumer._client._conns.values()
    assert [connection.connected() for connection in connections] == [False] * len(connections)
