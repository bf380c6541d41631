"""Fresh topics for one run: filled before it, read back and counted after it."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.plan import Case

BATCH_BYTES = 65_536
READ_IDLE_MS_MAX = 3000
TENANTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a peer sent.

    Attributes:
        unique: different values.
        count: records.
        appended_s: when the broker appended each, in Unix seconds, sorted.
    """

    unique: int
    count: int
    appended_s: Sequence[float]


class BenchTopics:
    """Input and output of one run, and an empty second lane beside the input.

    Args:
        brokers: bootstrap servers.
        case: how many partitions, records, keys.
    """

    def __init__(self, brokers: str, case: Case) -> None:
        self.group = f"bench-{secrets.token_hex(4)}"
        self.topic, self.out = f"{self.group}.in", f"{self.group}.out"
        self._brokers = brokers
        self.case = case
        self._reader: Any = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
        self._outputs = [TopicPartition(self.out, number) for number in range(case.partitions)]

    async def __aenter__(self) -> Self:
        await self._create()
        await self._fill()
        await self._reader.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._reader.stop()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        await admin.start()
        await admin.delete_topics([self.topic, f"{self.topic}.bulk", self.out])
        await admin.close()

    async def sent(self) -> int:
        """Return how many records the peer has sent so far."""
        ends = await self._reader.end_offsets(self._outputs)
        return sum(ends.values())

    async def output(self) -> Output:
        """Read all that the peer has sent."""
        count = await self.sent()
        self._reader.assign(self._outputs)
        await self._reader.seek_to_beginning(*self._outputs)
        records: list[Any] = []
        while len(records) < count:
            batches = await self._reader.getmany(timeout_ms=READ_IDLE_MS_MAX)
            records += [record for batch in batches.values() for record in batch]
        return Output(
            unique=len({record.value for record in records}),
            count=len(records),
            appended_s=sorted(record.timestamp / 1000 for record in records),
        )

    async def _create(self) -> None:
        # The broker's clock stamps the output: some peers carry the input's time on.
        stamped = {"message.timestamp.type": "LogAppendTime"}
        partitions = self.case.partitions
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        await admin.start()
        await admin.create_topics(
            [
                NewTopic(self.topic, partitions, 1),
                NewTopic(f"{self.topic}.bulk", partitions, 1),
                NewTopic(self.out, partitions, 1, topic_configs=stamped),
            ]
        )
        await admin.close()

    async def _fill(self) -> None:
        case = self.case
        producer = AIOKafkaProducer(bootstrap_servers=self._brokers, max_batch_size=BATCH_BYTES)
        await producer.start()
        await asyncio.gather(*(self._fill_one(producer, number) for number in range(case.partitions)))
        await producer.stop()

    async def _fill_one(self, producer: Any, partition: int) -> None:
        """Send the records of one partition; a key is always in the same one."""
        case, sent, batch = self.case, [], producer.create_batch()
        numbers = (n for n in range(case.records) if n % case.keys % case.partitions == partition)
        for number in numbers:
            key, value, headers = _record(case, number)
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                sent.append(await producer.send_batch(batch, self.topic, partition=partition))
                batch = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=headers)
        sent.append(await producer.send_batch(batch, self.topic, partition=partition))
        await asyncio.gather(*sent)


def _record(case: Case, number: int) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    value = orjson.dumps({"number": number, "text": ""})
    value = value[:-2] + b"x" * (case.value_bytes - len(value)) + value[-2:]
    tenant = f"tenant-{number % TENANTS}".encode()
    return f"key-{number % case.keys:05}".encode(), value, [("ce_tenant", tenant)]
