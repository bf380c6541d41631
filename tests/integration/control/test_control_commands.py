"""`pressline pause`, `resume` and their views, on real Kafka."""

import json
import secrets

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.embedded.kafka import EmbeddedKafka

pytestmark = pytest.mark.integration


def pressline(kafka: EmbeddedKafka, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"PRESSLINE_BROKERS": kafka.bootstrap_servers})


def lines(result: Result, tenant: str) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [line for line in found if line["name"] == tenant]


def test_what_is_paused_is_listed_until_it_is_resumed_and_stays_in_the_history(kafka: EmbeddedKafka) -> None:
    tenant = f"t-{secrets.token_hex(4)}"

    paused = pressline(kafka, "pause", "--tenant", tenant, "--by", "ann", "--why", "audit", "--json")
    held = lines(pressline(kafka, "pause", "--list", "--json"), tenant)
    resumed = pressline(kafka, "resume", "--tenant", tenant, "--by", "bob")
    open_again = lines(pressline(kafka, "pause", "--list", "--json"), tenant)
    history = lines(pressline(kafka, "pause", "--history", "--json"), tenant)

    assert lines(paused, tenant) == held
    assert (held[0]["action"], held[0]["by"], held[0]["why"]) == ("paused", "ann", "audit")
    assert resumed.stdout == f"resumed tenant {tenant} by bob\n"
    assert open_again == []
    assert [(line["action"], line["by"]) for line in history] == [("paused", "ann"), ("resumed", "bob")]


def test_the_list_is_a_table_for_people(kafka: EmbeddedKafka) -> None:
    pressline(kafka, "pause", "--lane", "bulk", "--by", "ann", "--why", "night\x1b[31m only")

    shown = pressline(kafka, "pause", "--list").stdout
    pressline(kafka, "resume", "--lane", "bulk", "--by", "ann")

    assert "lane bulk" in shown
    assert "\x1b" not in shown
