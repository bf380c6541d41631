"""A body that is too long to be checked."""

import pytest

from builders import a_document
from processors.checks import page_under_check, size
from processors.checks.page import TEXT_CHARS_MAX
from schemas.base import Severity


@pytest.mark.parametrize(("beyond", "severities"), [(0, []), (1, [Severity.ERROR])])
def test_a_body_beyond_the_bound_is_an_error(beyond: int, severities: list[Severity]) -> None:
    page = page_under_check(a_document(body="x" * (TEXT_CHARS_MAX + beyond)), {})

    assert [found.severity for found in size.check(page, size.Settings())] == severities
