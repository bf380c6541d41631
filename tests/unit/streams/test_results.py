import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from streams.results import CsvResults, JsonResults
from streams.store.tasks import IndexedTask

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def an_indexed_task(**inputs: Any) -> IndexedTask:
    return IndexedTask(
        submission_id="s1",
        task_id="notes.1",
        batch_id="b1-1",
        row_number=1,
        recipe="notes",
        tenant="default",
        stage="publish",
        state="published",
        reason="",
        title="Tea, and milk",
        url="http://localhost/notes/tea",
        score=0.9,
        findings=(),
        calls=1,
        input_tokens=10,
        output_tokens=5,
        cost_usd=Decimal("0.000125"),
        cache_hits=0,
        saved_usd=Decimal(0),
        replay=0,
        inputs=inputs,
        accepted_at=NOW,
        updated_at=NOW,
    )


def test_json_keeps_inputs_apart_from_results() -> None:
    out = io.StringIO()

    JsonResults(out).write(an_indexed_task(title="mine", sizes=[1, 2]))

    line = orjson.loads(out.getvalue())
    assert line["inputs"] == {"title": "mine", "sizes": [1, 2]}
    assert (line["title"], line["outcome"], line["cost_usd"]) == ("Tea, and milk", "published", "0.000125")


def test_csv_keeps_the_users_columns_and_renames_its_own() -> None:
    out = io.StringIO(newline="")
    writer = CsvResults(out, ("title", "sizes", "fresh", "none"))

    writer.write(an_indexed_task(title='say "x",\r y', sizes=["a", "b"], fresh=True))

    (row,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert (row["title"], row["sizes"], row["fresh"], row["none"]) == ('say "x",\r y', "a|b", "true", "")
    assert (row["result_title"], row["row"], row["url"]) == (
        "Tea, and milk",
        "1",
        "http://localhost/notes/tea",
    )
