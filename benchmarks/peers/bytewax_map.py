"""Bytewax: one record at a time in Rust's loop; reads without a consumer group."""

import time
from typing import Any

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from meter import Job, Meter

job = Job.from_command_line()
meter = Meter()


def forward(message: Any) -> KafkaSinkMessage[bytes, bytes]:
    """Return the value."""
    meter.taken()
    if job.call_s:
        time.sleep(job.sleep_s(message.value))
    return KafkaSinkMessage(message.key, message.value)


flow = Dataflow("bench")
source = kafka.input("in", flow, brokers=[job.brokers], topics=[job.topic])
kafka.output("out", op.map("forward", source.oks, forward), brokers=[job.brokers], topic=job.out)
run_main(flow)
