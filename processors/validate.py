"""Stage validate: a page in; out go the page, a request to repair it or to review it, or its end."""

from collections.abc import Iterable
from dataclasses import replace

from processors.checks import CompiledCheck, PageUnderCheck, page_under_check
from processors.judgement import Judgement, Verdict, judge, score_of, worst_first
from processors.ports import Ports
from schemas.base import Outcome, Severity, Stage
from schemas.events import (
    FINDINGS_MAX,
    Finding,
    Repair,
    ReviewRequested,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskValidated,
)

Validated = TaskValidated | TaskClassified | ReviewRequested | TaskFinished


async def validate(event: TaskGenerated, ports: Ports) -> Validated:
    """Run the recipe's checks and the corpus's on the page, and decide what becomes of it; see `judge`.

    Slug and title are reserved only for a page without errors, so that a page that is rejected takes no name.

    Returns:
        TaskValidated (publish it), TaskClassified (make it again, what was wrong in its `repair`),
        ReviewRequested (a person decides), or TaskFinished (`rejected`, or `expired` past the deadline).

    Raises:
        UnknownRecipeError, StoreUnavailableError: from the recipe book and the page index.
    """
    task = event.task
    if task.expired(ports.clock.now()):
        reason = f"the deadline {task.deadline} passed before the page was validated"
        return _finished(event, Outcome.EXPIRED, reason)
    recipe = await ports.recipes.get(event.plan.recipe)
    page = page_under_check(event.document, event.task.inputs)
    findings = _run(recipe.checks, page)
    if all(found.severity is not Severity.ERROR for found in findings):
        taken = await ports.pages.reserve(event.task, event.document.slug, event.document.title)
        page = replace(page, taken=taken)
        findings = _run(recipe.checks, page) if taken else findings
    score = score_of(findings)
    rule, slug_taken = recipe.recipe.review, "slug" in page.taken
    judgement = judge(findings, score, event.plan.risk, rule, event.repair_round, slug_taken=slug_taken)
    return _outcome(event, worst_first(findings)[:FINDINGS_MAX], score, judgement)


def _run(checks: Iterable[CompiledCheck], page: PageUnderCheck) -> tuple[Finding, ...]:
    return tuple(found for check in checks for found in check(page))


def _outcome(
    event: TaskGenerated, findings: tuple[Finding, ...], score: float, judgement: Judgement
) -> Validated:
    if judgement.verdict is Verdict.REPAIR:
        repair = Repair(round=event.repair_round + 1, findings=findings)
        return TaskClassified(task=event.task, plan=event.plan, repair=repair, spend=event.spend)
    if judgement.verdict is Verdict.REJECT:
        return _finished(event, Outcome.REJECTED, judgement.reason, findings, score)
    validated = TaskValidated(
        task=event.task,
        plan=event.plan,
        document=event.document,
        score=score,
        findings=findings,
        reviewer=None,
        spend=event.spend,
    )
    if judgement.verdict is Verdict.HOLD:
        return ReviewRequested(held=validated, reason=judgement.reason)
    return validated


def _finished(
    event: TaskGenerated,
    outcome: Outcome,
    reason: str,
    findings: tuple[Finding, ...] = (),
    score: float | None = None,
) -> TaskFinished:
    return TaskFinished(
        task=event.task,
        outcome=outcome,
        stage=Stage.VALIDATE,
        reason=reason,
        title=event.document.title,
        score=score,
        findings=findings,
        spend=event.spend,
    )
