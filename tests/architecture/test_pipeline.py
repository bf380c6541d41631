"""The pipeline table is closed, and topics follow the convention."""

import re

import pytest

from schemas.base import Lane, Stage
from schemas.control import ScopeChanged
from schemas.events import ReviewDecided, TaskFinished, TaskSubmitted
from schemas.usage import UsageRecorded
from streams.pipeline import PIPELINE, StageSpec
from streams.task_index import TAPPED
from streams.topics import (
    NOUNS,
    REDELIVERY,
    RETRY_TIERS,
    all_topics,
    dead_letter_topic,
    event_type,
    topic_name,
)

WORK = re.compile(r"^pressline\.(task|review|usage)\.[a-z]+ed(\.(live|bulk))?\.v\d+$")
DEAD = re.compile(r"^pressline\.(classify|generate|validate|publish|redelivery)\.dead\.v\d+$")
RETRY = re.compile(r"^pressline\.retry\.\d+[mh]\.v\d+$")
TAKEN = {spec.takes for spec in PIPELINE.values()}
MADE = {event for spec in PIPELINE.values() for event in spec.leads_to}
CONTROL = "pressline.control.v1"
FOR_OTHERS = {ReviewDecided, UsageRecorded}
"""Records of what happened, for whoever listens; no part of Pressline acts on them."""


def test_every_stage_has_one_line_in_the_table() -> None:
    assert list(PIPELINE) == list(Stage)


def test_what_a_stage_makes_is_taken_by_a_stage_or_kept_by_the_index() -> None:
    assert TAKEN | set(TAPPED) >= MADE


def test_what_a_stage_takes_is_made_by_a_stage_or_comes_from_outside() -> None:
    assert {TaskSubmitted} == TAKEN - MADE


def test_every_stage_can_end_a_task() -> None:
    assert all(TaskFinished in spec.leads_to for spec in PIPELINE.values())


def test_no_event_is_taken_by_two_stages() -> None:
    assert len(TAKEN) == len(PIPELINE)


def test_every_topic_has_a_producer_and_a_reader() -> None:
    assert set(NOUNS) == {TaskSubmitted} | MADE | FOR_OTHERS | {ScopeChanged}
    assert set(NOUNS) - TAKEN - set(TAPPED) == FOR_OTHERS | {ScopeChanged}


def test_topic_names_follow_the_convention() -> None:
    dead = {dead_letter_topic(stage) for stage in (*Stage, REDELIVERY)}
    waiting = {tier.topic for tier in RETRY_TIERS}
    names = {topic.name for topic in all_topics()}

    assert dead | waiting <= names
    assert all(RETRY.match(name) for name in waiting)
    assert all(DEAD.match(name) for name in dead)
    assert all(WORK.match(name) for name in names - dead - waiting - {CONTROL})


def test_no_two_topics_collide_in_kafkas_metrics() -> None:
    """Kafka writes dots as underscores there."""
    names = [topic.name for topic in all_topics()]

    assert len({name.replace(".", "_") for name in names}) == len(names)
    assert not any("_" in name for name in names)


@pytest.mark.parametrize("spec", PIPELINE.values(), ids=lambda spec: spec.stage)
def test_a_stage_is_a_function_of_its_own_name(spec: StageSpec) -> None:
    assert (spec.run.__name__, spec.run.__module__) == (spec.stage, f"processors.{spec.stage}")


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_takes_its_event_in_both_lanes(stage: Stage) -> None:
    spec = PIPELINE[stage]

    assert len(spec.topics) == 2
    assert {topic_name(spec.takes, lane) for lane in Lane} == set(spec.topics)
    assert event_type(spec.takes).count(".") == 3
