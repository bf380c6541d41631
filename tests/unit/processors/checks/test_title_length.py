"""Short, long and usual titles."""

import pytest

from builders import a_document
from processors.checks import page_under_check, title_length
from schemas.base import Severity


@pytest.mark.parametrize(
    ("chars", "severities"),
    [(9, [Severity.WARN]), (10, []), (70, []), (71, [Severity.INFO])],
)
def test_a_title_warns_when_too_short_and_informs_when_long(chars: int, severities: list[Severity]) -> None:
    page = page_under_check(a_document(title="x" * chars), {})

    findings = title_length.check(page, title_length.Settings())

    assert [found.severity for found in findings] == severities
