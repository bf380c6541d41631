"""Score and verdict."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.judgement import (
    RISKS,
    SEVERITIES,
    Verdict,
    judge,
    score_of,
    worst_first,
)
from schemas.base import Risk, Severity
from schemas.events import Finding
from schemas.recipe import ReviewRule

RULE = ReviewRule(repairs_max=1)
SEVERITY = st.sampled_from(Severity)
CHECK = st.sampled_from(["length", "leftovers", "grounded-names", "duplicate"])


def finding(severity: Severity, check: str = "length", message: str = "seen") -> Finding:
    return Finding(check=check, severity=severity, message=message)


ERROR = finding(Severity.ERROR)
WARN = finding(Severity.WARN)
TAKEN = finding(Severity.ERROR, "duplicate")


@pytest.mark.parametrize(
    ("findings", "score"),
    [
        ((), 1.0),
        ((finding(Severity.INFO),) * 9, 1.0),
        ((WARN,), 0.9),
        ((WARN,) * 20, 0.7),
        ((*((WARN,) * 3), finding(Severity.WARN, "grounded-names")), 0.6),
        ((ERROR,), 0.5),
        ((ERROR, ERROR, ERROR), 0.0),
        ((TAKEN, TAKEN), 1.0),
    ],
)
def test_the_score_is_one_minus_the_weights(findings: Sequence[Finding], score: float) -> None:
    assert score_of(findings) == score


@pytest.mark.parametrize(
    ("findings", "repair_round", "verdict"),
    [
        ((), 0, Verdict.PASS),
        ((WARN,), 0, Verdict.PASS),
        ((ERROR, WARN), 0, Verdict.REPAIR),
        ((ERROR,), 1, Verdict.REJECT),
        ((TAKEN,), 0, Verdict.REPAIR),
        ((TAKEN,), 1, Verdict.HOLD),
        ((TAKEN, WARN, WARN, WARN), 1, Verdict.HOLD),
    ],
)
def test_errors_are_repaired_then_rejected_and_duplicates_go_to_a_person(
    findings: Sequence[Finding], repair_round: int, verdict: Verdict
) -> None:
    judged = judge(findings, score_of(findings), Risk.LOW, RULE, repair_round, slug_taken=False)

    assert judged.verdict is verdict


def test_a_taken_slug_is_held_and_never_repaired() -> None:
    assert judge((TAKEN, TAKEN), 1.0, Risk.LOW, RULE, 0, slug_taken=True).verdict is Verdict.HOLD


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.29, Verdict.REJECT), (0.3, Verdict.HOLD), (0.59, Verdict.HOLD), (0.6, Verdict.PASS)],
)
def test_a_low_score_is_held_and_a_lower_one_rejected(score: float, verdict: Verdict) -> None:
    assert judge((WARN,), score, Risk.LOW, RULE, 0, slug_taken=False).verdict is verdict


@pytest.mark.parametrize("hold_at", Risk)
@pytest.mark.parametrize("risk", Risk)
def test_risk_is_compared_by_harm_not_by_letters(risk: Risk, hold_at: Risk) -> None:
    order = ["low", "medium", "high"]

    judged = judge((), 1.0, risk, ReviewRule(hold_at_risk=hold_at), 0, slug_taken=False)

    held = order.index(risk.value) >= order.index(hold_at.value)
    assert judged.verdict is (Verdict.HOLD if held else Verdict.PASS)


def test_a_rejection_comes_before_a_hold() -> None:
    assert judge((ERROR,), 0.5, Risk.HIGH, RULE, 1, slug_taken=False).verdict is Verdict.REJECT
    assert judge((TAKEN, WARN), 0.1, Risk.HIGH, RULE, 1, slug_taken=True).verdict is Verdict.REJECT


def test_the_reason_names_the_worst_findings_first_and_counts_the_rest() -> None:
    findings = (WARN, *(finding(Severity.ERROR, "leftovers", f"number {n}") for n in range(5)))

    judged = judge(findings, 0.0, Risk.LOW, RULE, 1, slug_taken=False)

    assert judged.reason == "leftovers: number 0; leftovers: number 1; leftovers: number 2; and 2 more"


def test_the_orders_hold_every_member_once() -> None:
    assert set(RISKS) == set(Risk)
    assert set(SEVERITIES) == set(Severity)


@given(
    findings=st.lists(st.builds(finding, SEVERITY, CHECK, st.text(max_size=500)), max_size=60),
    risk=st.sampled_from(Risk),
    repair_round=st.integers(0, 3),
    slug_taken=st.booleans(),
)
def test_no_page_with_an_error_passes_and_every_other_verdict_has_a_reason(
    findings: Sequence[Finding], risk: Risk, repair_round: int, *, slug_taken: bool
) -> None:
    score = score_of(findings)

    judged = judge(findings, score, risk, RULE, repair_round, slug_taken=slug_taken)

    has_error = any(found.severity is Severity.ERROR for found in findings)
    assert 0 <= score <= 1
    assert not (judged.verdict is Verdict.PASS and (has_error or risk is Risk.HIGH))
    assert bool(judged.reason) == (judged.verdict is not Verdict.PASS)
    assert len(judged.reason) <= 500
    assert sorted(found.model_dump_json() for found in worst_first(findings)) == sorted(
        found.model_dump_json() for found in findings
    )
