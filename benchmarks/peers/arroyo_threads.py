"""Arroyo: RunTaskInThreads, Produce, CommitOffsets; a thread for each call in flight."""

import time
from collections.abc import Mapping

from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import (
    build_kafka_configuration,
    build_kafka_consumer_configuration,
)
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, Produce, RunTaskInThreads
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.types import Commit, Message, Partition, Topic
from meter import Job, Meter

job = Job.from_command_line()
meter = Meter()


def forward(message: Message[KafkaPayload]) -> KafkaPayload:
    """Return the value."""
    meter.taken()
    payload = message.payload
    if job.call_s:
        time.sleep(job.sleep_s(payload.value))
    return KafkaPayload(payload.key, payload.value, [])


class Forward(ProcessingStrategyFactory[KafkaPayload]):
    """Makes the chain of strategies for an assignment."""

    def __init__(self) -> None:
        self._producer = KafkaProducer(build_kafka_configuration({}, bootstrap_servers=[job.brokers]))

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        """Return the chain."""
        del partitions
        produce = Produce(self._producer, Topic(job.out), CommitOffsets(commit))
        return RunTaskInThreads(forward, job.in_flight, job.in_flight, produce)


StreamProcessor(
    KafkaConsumer(
        build_kafka_consumer_configuration({}, group_id=job.group, bootstrap_servers=[job.brokers])
    ),
    Topic(job.topic),
    Forward(),
).run()
