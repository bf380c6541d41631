"""The error tree is drawn as it is, and every reason has its cause."""

import inspect
import re

from processors import errors
from processors.errors import ProcessingError
from schemas.failures import FailureReason

DECIDED_ELSEWHERE = {FailureReason.BUG}
"""Whatever is raised and is no ProcessingError; see `processors.disposition.decide`."""
SAME_FOR_THE_READER = {"LimitWaitError", "BudgetExhaustedError"}
"""Waiting for our share of a provider's limit is the provider's rate limit, met before it had to say so.
A budget that is empty for now and one that is empty for good are raised by the same person."""
CLASSES = {
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ProcessingError)
}


def _drawn() -> dict[str, str | None]:
    """The tree of the module's docstring: each class and the one above it."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = re.match(r"^    ([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if name is not None:
            depth = len(name[1]) // 4
            path = [*path[:depth], name[2]]
            parents[name[2]] = path[depth - 1] if depth else None
    return parents


def test_the_drawing_shows_every_class_below_its_own_base() -> None:
    bases = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}

    assert _drawn() == bases | {"ProcessingError": None}


def test_every_reason_is_that_of_exactly_one_class() -> None:
    own = [
        kind.__dict__["reason"]
        for kind in CLASSES
        if "reason" in kind.__dict__ and kind.__name__ not in SAME_FOR_THE_READER
    ]

    assert sorted([*own, *DECIDED_ELSEWHERE]) == sorted(FailureReason)


def test_every_error_that_can_be_raised_has_a_reason() -> None:
    roots = {errors.ProcessingError, errors.TransientError, errors.PermanentError, errors.AbandonedError}

    assert all(isinstance(kind.reason, FailureReason) for kind in CLASSES - roots)


def test_every_class_says_what_it_means() -> None:
    assert all(inspect.getdoc(kind) for kind in CLASSES)
