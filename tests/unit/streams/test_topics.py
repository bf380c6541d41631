"""Topics: one type each, names that Kafka takes, and every stage wired to one that exists."""

import re

from schemas.base import Lane, Stage
from schemas.codec import EVENT_BYTES_MAX
from schemas.events import TaskFinished, TaskSubmitted
from streams.pipeline import PIPELINE
from streams.topics import (
    DEAD_BYTES_MAX,
    RETRY_TIERS,
    WORK_BYTES_MAX,
    all_topics,
    dead_letter_topic,
    event_type,
    topic_name,
)

NAME = re.compile(r"pressline(\.[a-z0-9]+)+\.v1")


def test_names_are_unique_and_of_one_form() -> None:
    names = [topic.name for topic in all_topics()]

    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)


def test_only_work_topics_have_lanes() -> None:
    assert topic_name(TaskSubmitted, Lane.LIVE) == "pressline.task.submitted.live.v1"
    assert topic_name(TaskFinished, Lane.LIVE) == topic_name(TaskFinished) == "pressline.task.finished.v1"
    assert event_type(TaskSubmitted) == "pressline.task.submitted.v1"


def test_every_stage_takes_and_leads_to_topics_that_exist() -> None:
    names = {topic.name for topic in all_topics()}

    for stage in Stage:
        spec = PIPELINE[stage]
        assert (spec.stage, spec.group) == (stage, f"pressline-{stage}")
        assert set(spec.topics) <= names
        assert dead_letter_topic(stage) in names
        assert {topic_name(event, lane) for event in spec.leads_to for lane in Lane} <= names


def test_a_dead_letter_or_a_record_that_waits_always_fits_when_its_record_did() -> None:
    larger = {topic.record_bytes_max for topic in all_topics() if topic.carries is None}

    assert EVENT_BYTES_MAX < WORK_BYTES_MAX < DEAD_BYTES_MAX
    assert larger == {DEAD_BYTES_MAX}


def test_tiers_are_as_long_as_they_are_named_and_the_shortest_is_first() -> None:
    units_s = {"m": 60, "h": 3600}
    names = [tier.topic.split(".")[2] for tier in RETRY_TIERS]

    lengths_s = [int(name[:-1]) * units_s[name[-1]] for name in names]
    assert lengths_s == sorted(tier.length_s for tier in RETRY_TIERS) == [60, 600, 3600]
