import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.cli.price import LINE_BYTES_MAX

GOOD = {
    "provider": "openai",
    "model": "gpt-5",
    "api": "responses",
    "usage": {
        "input_tokens": 9703,
        "input_tokens_details": {"cached_tokens": 8576},
        "output_tokens": 638,
        "output_tokens_details": {"reasoning_tokens": 576},
    },
    "date": "2026-08-21",
}


def price(folder: Path, *lines: Any, arguments: tuple[str, ...] = ("--json",)) -> Result:
    file = folder / "usages.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return CliRunner().invoke(main, ["price", str(file), *arguments])


def test_a_row_is_told_with_its_classes_and_prices(tmp_path: Path) -> None:
    result = price(tmp_path, GOOD)

    assert result.exit_code == 0
    assert json.loads(result.output) == GOOD | {
        "line": 1,
        "input": 9703,
        "input_fresh": 1127,
        "input_cache_read": 8576,
        "input_cache_write": 0,
        "input_other": 0,
        "output": 638,
        "reasoning": 576,
        "input_price": "0.00248075",
        "output_price": "0.00638",
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "Invalid JSON"),
        ('{"provider": "openai", "model": "gpt-5"}', "usage: Field required"),
        (GOOD | {"model": "gpt-0-none"}, "has no 'gpt-0-none'"),
        (GOOD | {"provider": "nobody"}, "of 'nobody'"),
        (GOOD | {"api": "grpc"}, "api is 'grpc', expected default or one of"),
        (GOOD | {"date": "tomorrow"}, "expected an ISO date"),
        (GOOD | {"usage": {"input_tokens": -1, "output_tokens": 1}}, "contradict|exceed"),
        (GOOD | {"usage": {"input_tokens": 10**12, "output_tokens": 1}}, "less than or equal"),
        ({"provider": "aws", "model": "m", "usage": {"inputTokens": 1}}, "own API of 'aws' is not spoken"),
    ],
)
def test_a_bad_row_is_an_error_and_the_rest_goes_on(tmp_path: Path, line: Any, told: str) -> None:
    result = price(tmp_path, line, GOOD)

    first, second = map(json.loads, result.output.splitlines())
    assert result.exit_code == 1
    assert any(part in first["error"] for part in told.split("|"))
    assert second["output_price"] == "0.00638"


def test_a_row_is_told_by_its_line_in_the_file_and_blank_lines_count(tmp_path: Path) -> None:
    result = price(tmp_path, "", GOOD, "  ", "not json")

    assert [json.loads(line)["line"] for line in result.output.splitlines()] == [2, 4]


@pytest.mark.parametrize("excess", [1, 5, 3 * LINE_BYTES_MAX])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("filling", ["x", " "])
def test_a_line_that_is_too_long_is_one_error(tmp_path: Path, filling: str, start: str, excess: int) -> None:
    result = price(tmp_path, start + filling * (LINE_BYTES_MAX + excess), GOOD)

    first, second = map(json.loads, result.output.splitlines())
    assert result.exit_code == 1
    assert first == {"line": 1, "error": "the line has more than 1048576 bytes"}
    assert (second["line"], second["output_price"]) == (2, "0.00638")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_as_long_as_allowed_is_priced(tmp_path: Path, end: str) -> None:
    result = price(tmp_path, f"\ufeff{json.dumps(GOOD):<{LINE_BYTES_MAX}}{end}")

    assert (result.exit_code, json.loads(result.output)["output_price"]) == (0, "0.00638")


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    file = tmp_path / "usages.jsonl"
    file.write_bytes(codecs.BOM_UTF8 + json.dumps(GOOD).encode())

    assert CliRunner().invoke(main, ["price", str(file)]).exit_code == 0


@pytest.mark.parametrize("text", ["", "\n  \n", "\ufeff\n"])
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_file_without_rows_is_an_error(tmp_path: Path, text: str, arguments: tuple[str, ...]) -> None:
    result = price(tmp_path, text, arguments=arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"pressline: {tmp_path / 'usages.jsonl'} has no rows\n"


def test_the_sum_is_told_to_people(tmp_path: Path) -> None:
    result = price(tmp_path, GOOD, GOOD, arguments=())

    assert result.output.splitlines()[-1] == "0.01772150 USD, 0 rows without a price"


def test_a_catalogues_own_price_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(
        'providers: [{name: mine, base_url: "http://p.test/v1"}]\n'
        "models: [{name: m, provider: mine, tier: small, context_tokens: 8000, price: {input: 1, output: 2}}]"
    )
    monkeypatch.setenv("PRESSLINE_PROVIDERS", str(catalogue))

    result = price(
        tmp_path,
        {
            "provider": "mine",
            "model": "m",
            "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000},
        },
    )

    assert [json.loads(result.output)[key] for key in ("input_price", "output_price")] == ["1", "1"]


def test_a_file_that_is_not_there_is_wrong_use() -> None:
    assert CliRunner().invoke(main, ["price", "no-such-file.jsonl"]).exit_code == 2


def test_a_catalogue_can_be_named_and_its_price_is_that_of_the_rows_day(tmp_path: Path) -> None:
    catalogue = tmp_path / "mine.yaml"
    catalogue.write_text(
        'providers: [{name: mine, base_url: "http://p.test/v1"}, {name: s, simulated: true}]\n'
        "models: [{name: m, provider: mine, tier: small, context_tokens: 8000, price: {input: 1, output: 2,"
        " batch: {input: 0.5, output: 1}, changes: [{from: 2026-02-01, input: 3, output: 4}]}}]"
    )
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}
    row = {"provider": "mine", "model": "m", "usage": usage}
    rows = (
        row | {"date": "2026-01-31"},
        row | {"date": "2026-02-01"},
        row | {"date": "2026-01-31", "usage": usage | {"service_tier": "batch"}},
        row | {"date": "2026-01-31", "usage": {"service_tier": "batch", "usage": usage}},
    )

    result = price(tmp_path, *rows, arguments=("--json", "--providers", str(catalogue)))

    told = [json.loads(line) for line in result.output.splitlines()]
    assert [(row["input_price"], row["output_price"]) for row in told] == [
        ("1", "1"), ("3", "2"), ("0.5", "0.5"), ("0.5", "0.5")
    ]  # fmt: skip


def test_own_prices_hold_though_the_simulated_provider_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSLINE_SIMULATED_URL", "http://127.0.0.1:1/v1")

    test_a_catalogues_own_price_goes_first(tmp_path, monkeypatch)
