"""`pressline topics`: the topics, and creating those that are missing."""

import json

import click
from rich.console import Console
from rich.table import Table

from streams.cli.exits import run
from streams.settings import Settings
from streams.topic_admin import TopicState, create_missing, describe, grow


@click.command("topics")
@click.option("--create", is_flag=True, help="Create the topics that are missing.")
@click.option("--grow", "grows", is_flag=True, help="Add partitions to the topics that have fewer.")
@click.option("--partitions", type=int, help="Partitions of each topic; they can grow, never shrink.")
@click.option("--replication", type=int, help="Replicas of each topic that is created.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    *, create: bool, grows: bool, partitions: int | None, replication: int | None, as_json: bool
) -> None:
    """Show every topic, what it carries and whether it exists.

    Growing moves keys: records of one key that are sent before and after it can be worked on side by side.
    Where PRESSLINE_ORDERING is `key`, let the backlog end first. Workers take the new partitions over.
    """

    async def work() -> list[TopicState]:
        settings = Settings.load(partitions=partitions, replication=replication)
        brokers = settings.need_brokers()
        if create:
            await create_missing(brokers, settings.partitions, settings.replication)
        if grows:
            await grow(brokers, settings.partitions)
        return list(await describe(brokers))

    states = run(work)
    if as_json:
        for state in states:
            click.echo(json.dumps(_plain(state)))
    else:
        Console().print(_table(states))


def _plain(state: TopicState) -> dict[str, object]:
    return {
        "topic": state.topic.name,
        "partitions": state.partitions,
        "carries": state.topic.carries.__name__ if state.topic.carries else None,
        "retention_ms": state.topic.retention_ms,
        "purpose": state.topic.purpose,
    }


def _table(states: list[TopicState]) -> Table:
    table = Table("Topic", "Partitions", "Carries", "Purpose")
    for state in states:
        carries = state.topic.carries.__name__ if state.topic.carries else "its origin's bytes"
        partitions = "missing" if state.partitions is None else str(state.partitions)
        table.add_row(state.topic.name, partitions, carries, state.topic.purpose)
    return table
