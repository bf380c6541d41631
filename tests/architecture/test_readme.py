"""The tables in the documents are the code's, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from streams.docs import DOCUMENTS, TABLES, renewed
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
TEXTS = {path: (ROOT / path).read_text("utf-8") for path in DOCUMENTS}
ALL = "\n".join(TEXTS.values())
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
WORDS_MAX = 1500


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_tables_are_what_the_code_says(path: Path) -> None:
    assert renewed(TEXTS[path]) == TEXTS[path], "run python -m streams.docs"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_in_one_of_them(name: str) -> None:
    assert ALL.count(f"<!-- table {name} -->") == 1


def test_every_metric_is_in_the_table() -> None:
    source = (ROOT / "streams" / "telemetry.py").read_text("utf-8")

    assert set(re.findall(r'"(pressline_\w+)"', source)) == set(re.findall(r"`(pressline_\w+)`", ALL))


@pytest.mark.parametrize(
    ("path", "link"), sorted({(path, link) for path, text in TEXTS.items() for link in LINK.findall(text)})
)
def test_every_link_leads_to_a_file(path: Path, link: str) -> None:
    assert (ROOT / path.parent / link).exists()


def test_every_setting_that_is_named_exists() -> None:
    known = {f"PRESSLINE_{name.upper()}" for name in Settings.model_fields}

    assert set(re.findall(r"PRESSLINE_[A-Z_]+", ALL)) <= known


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z]+)", ALL)) <= targets


@pytest.mark.parametrize("text", TEXTS.values(), ids=map(str, TEXTS))
def test_each_can_be_read_in_one_sitting(text: str) -> None:
    prose = "\n".join(
        line for line in re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines() if "|" not in line
    )

    assert len(prose.split()) <= WORDS_MAX
