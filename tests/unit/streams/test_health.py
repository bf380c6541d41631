"""The health page tells the truth: a stall and failing commits are problems, back-pressure is none."""

from fakes.consumer_health import a_health
from streams.health import POLL_AGE_S_MAX, judge

LONG_AGO_S = POLL_AGE_S_MAX + 1


def test_a_worker_whose_stages_poll_and_commit_is_fit() -> None:
    health = judge({"classify": a_health(), "generate": a_health(finished=3)}, ())

    assert (health.fit, health.problems) == (True, ())
    assert health.stages["generate"]["finished"] == 3


def test_a_stage_that_does_not_poll_though_it_has_room_is_stalled() -> None:
    health = judge({"generate": a_health(last_poll_age_s=LONG_AGO_S)}, ())

    assert not health.fit
    assert health.problems == ("generate: last poll 61 s ago, expected under a minute",)


def test_a_full_stage_need_not_poll() -> None:
    full = a_health(last_poll_age_s=LONG_AGO_S, full=True)

    assert judge({"generate": full}, ()).fit


def test_failing_commits_are_a_problem_of_the_stage_that_has_them() -> None:
    health = judge({"classify": a_health(), "publish": a_health(commit_error="away")}, ())

    assert not health.fit
    assert health.problems == ("publish: commits fail: away",)


def test_a_worker_is_not_fit_until_every_stage_has_joined_its_group() -> None:
    health = judge({"classify": a_health(joined=False)}, ("classify", "generate"))

    assert not health.fit
    assert health.problems == ("generate: starting", "classify: has not joined its group yet")
