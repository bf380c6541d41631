"""Names that another task has."""

from dataclasses import replace

import pytest

from builders import a_document
from processors.checks import duplicate, page_under_check
from schemas.base import Severity


@pytest.mark.parametrize("taken", [{}, {"slug": "t/1"}, {"title": "t/2"}, {"slug": "t/1", "title": "t/2"}])
def test_each_taken_name_is_an_error_that_names_its_owner(taken: dict[str, str]) -> None:
    page = replace(page_under_check(a_document(), {}), taken=taken)

    findings = duplicate.check(page, duplicate.Settings())

    assert [found.severity for found in findings] == [Severity.ERROR] * len(taken)
    assert all(owner in found.message for owner, found in zip(taken.values(), findings, strict=True))
