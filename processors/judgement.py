"""What becomes of a checked page: its score, and who decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from processors.checks import duplicate
from schemas.base import Risk, Severity
from schemas.events import MESSAGE_CHARS_MAX, Finding
from schemas.recipe import ReviewRule

POINTS = {Severity.ERROR: 50, Severity.WARN: 10, Severity.INFO: 0}
WARN_POINTS_PER_CHECK_MAX = 30
REASONS_SHOWN_MAX = 3

# A StrEnum compares by its letters, where "high" is the lowest: the orders are written out.
SEVERITIES = (Severity.ERROR, Severity.WARN, Severity.INFO)
RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


class Verdict(StrEnum):
    """What becomes of a page."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REPAIR = "repair"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict, and why; the reason of a pass is empty."""

    verdict: Verdict
    reason: str = ""


def judge(
    findings: Sequence[Finding],
    score: float,
    risk: Risk,
    rule: ReviewRule,
    repair_round: int,
    *,
    slug_taken: bool,
) -> Judgement:
    """Return what becomes of a page.

    1. Errors: repair while a round is left, unless another task has the slug. A slug comes from the row, so
       that no rewriting changes it; a title that another task has can be rewritten.
    2. Errors that are left, or a score below `reject_below`: reject.
    3. A duplicate, a risk of `hold_at_risk` or more, or a score below `hold_below`: hold for a person.
       Whether two pages on one subject shall exist is no machine's decision.
    4. Everything else passes.

    Args:
        findings: what the checks saw, duplicates included.
        score: from `score_of`.
        risk: the plan's.
        rule: the recipe's.
        repair_round: how many repairs the page has been through.
        slug_taken: whether another task has the slug.
    """
    errors = [found for found in findings if found.severity is Severity.ERROR]
    own_errors = [found for found in errors if found.check != duplicate.NAME]
    if errors and not slug_taken and repair_round < rule.repairs_max:
        return Judgement(verdict=Verdict.REPAIR, reason=_reason(errors))
    if own_errors:
        return Judgement(verdict=Verdict.REJECT, reason=_reason(own_errors))
    if score < rule.reject_below:
        return Judgement(verdict=Verdict.REJECT, reason=_low(score, rule.reject_below, findings))
    return _hold_or_pass(errors, findings, score, risk, rule)


def score_of(findings: Sequence[Finding]) -> float:
    """Return the page's score: (100 - 50 for each error - 10 for each warning) / 100, at least 0.

    The warnings of one check cost WARN_POINTS_PER_CHECK_MAX points at most, so that a single noisy heuristic
    neither holds nor rejects a page under the default rule. Duplicates do not count: they say nothing about
    the page itself. The weights are ours, a convention without a study behind it.
    """
    own = [found for found in findings if found.check != duplicate.NAME]
    errors = POINTS[Severity.ERROR] * sum(found.severity is Severity.ERROR for found in own)
    warnings: dict[str, int] = {}
    for found in own:
        if found.severity is Severity.WARN:
            points = warnings.get(found.check, 0) + POINTS[Severity.WARN]
            warnings[found.check] = min(points, WARN_POINTS_PER_CHECK_MAX)
    return max(0, 100 - errors - sum(warnings.values())) / 100


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings by severity, errors first, else in their order."""
    return tuple(sorted(findings, key=lambda found: SEVERITIES.index(found.severity)))


def _hold_or_pass(
    errors: Sequence[Finding], findings: Sequence[Finding], score: float, risk: Risk, rule: ReviewRule
) -> Judgement:
    if errors:
        return Judgement(verdict=Verdict.HOLD, reason=_reason(errors))
    if RISKS.index(risk) >= RISKS.index(rule.hold_at_risk):
        reason = f"risk is {risk}, and the recipe holds pages from risk {rule.hold_at_risk} on"
        return Judgement(verdict=Verdict.HOLD, reason=reason)
    if score < rule.hold_below:
        return Judgement(verdict=Verdict.HOLD, reason=_low(score, rule.hold_below, findings))
    return Judgement(verdict=Verdict.PASS)


def _low(score: float, expected: float, findings: Sequence[Finding]) -> str:
    return f"score {score} is below {expected}; {_reason(findings)}"[:MESSAGE_CHARS_MAX]


def _reason(findings: Sequence[Finding]) -> str:
    """The worst findings in one line."""
    worst = worst_first(findings)
    shown = "; ".join(f"{found.check}: {found.message}" for found in worst[:REASONS_SHOWN_MAX])
    more = len(worst) - REASONS_SHOWN_MAX
    return (shown + (f"; and {more} more" if more > 0 else ""))[:MESSAGE_CHARS_MAX]
