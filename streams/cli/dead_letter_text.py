"""Dead letters for eyes and for programs: tables, one letter in full, JSON."""

import base64
from collections.abc import Iterable
from datetime import datetime

import orjson
from rich.table import Table
from rich.text import Text

from streams.cli.printable import one_line, printable
from streams.dead_letters import DeadLetter, Group
from streams.replay import Replayed, ReplayPlan

MESSAGE_CHARS_SHOWN = 100
VALUE_CHARS_SHOWN = 20_000
HEX_BYTES_SHOWN = 256
HEX_BYTES_A_LINE = 16


def plain(letter: DeadLetter) -> dict[str, object]:
    """Return what the headers say, for JSON; without key, value and headers, which may hold content."""
    return {
        "position": str(letter.position),
        "stage": letter.stage,
        "reason": letter.reason,
        "error_class": letter.error_class,
        "message": letter.message,
        "fingerprint": letter.fingerprint,
        "attempts": letter.attempts,
        "retriable": letter.retriable,
        "origin": None if letter.origin is None else str(letter.origin),
        "replay_count": letter.replay_count,
        "first_failure": letter.first_failure,
        "at": letter.at,
        "replayed_at": letter.replayed_at,
    }


def exported(letter: DeadLetter) -> dict[str, object]:
    """Return the whole letter for JSON; bytes as base64, so that none is changed."""
    return {
        **plain(letter),
        "key_base64": _base64(letter.key),
        "value_base64": _base64(letter.value),
        "headers_base64": [[name, _base64(value)] for name, value in letter.headers],
    }


def plain_group(group: Group) -> dict[str, object]:
    """Return the group for JSON."""
    sample = group.sample
    return {
        "count": group.count,
        "stage": sample.stage,
        "reason": sample.reason,
        "error_class": sample.error_class,
        "message": sample.message,
        "fingerprint": sample.fingerprint,
        "retriable": sample.retriable,
        "first_at": group.first_at,
        "last_at": sample.at,
        "sample": str(sample.position),
    }


def json_line(value: dict[str, object]) -> str:
    """Return the object as one line of JSON."""
    return orjson.dumps(value).decode()


def group_table(groups: Iterable[Group]) -> Table:
    """Return the groups as a table."""
    table = Table("Count", "Stage", "Reason", "Class", "Fingerprint", "Message", "First", "Last", "Retriable")
    for group in groups:
        sample = group.sample
        table.add_row(
            str(group.count),
            sample.stage,
            *_cells(sample.reason, sample.error_class, sample.fingerprint, _message(sample)),
            _moment(group.first_at),
            _moment(sample.at),
            "yes" if sample.retriable else "no",
        )
    return table


def letter_table(letters: Iterable[DeadLetter]) -> Table:
    """Return single letters as a table."""
    table = Table("Position", "Reason", "Class", "Fingerprint", "Message", "At", "Tries", "Replayed")
    for letter in letters:
        table.add_row(
            str(letter.position),
            *_cells(letter.reason, letter.error_class, letter.fingerprint, _message(letter)),
            _moment(letter.at),
            str(letter.attempts or "?"),
            _moment(letter.replayed_at),
        )
    return table


def letter_text(letter: DeadLetter) -> str:
    """Return one letter in full: what its headers say, its headers, the beginning of its value."""
    facts = [f"{name + ':':<15}{'' if fact is None else fact}" for name, fact in plain(letter).items()]
    headers = [f"  {name} = {_header(value)}" for name, value in letter.headers]
    key = "null" if letter.key is None else _header(letter.key)
    size = "null" if letter.value is None else f"{len(letter.value)} bytes"
    lines = [*facts, f"{'key:':<15}{key}", "headers:", *headers, f"value: {size}", value_text(letter.value)]
    return printable("\n".join(lines))


def value_text(value: bytes | None) -> str:
    """Return a value as indented JSON if it is JSON, else the dump of its first bytes."""
    try:
        text = orjson.dumps(orjson.loads(value or b""), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _hex_dump((value or b"")[:HEX_BYTES_SHOWN])
    cut = "\n… cut; `pressline dead-letters export` has all of it" if len(text) > VALUE_CHARS_SHOWN else ""
    return text[:VALUE_CHARS_SHOWN] + cut


def plan_text(plan: ReplayPlan) -> str:
    """Return what a replay would do, one line for each stage and reason."""
    lines = [f"{len(plan.positions)} dead letters to send back"]
    lines += [
        one_line(f"{count:>8} {stage} {reason}") for (stage, reason), count in sorted(plan.kinds.items())
    ]
    lines += [f"not sent: {count}, {why}" for why, count in plan.refused.items()]
    if plan.replayed:
        lines.append(f"not sent: {plan.replayed}, sent back before")
    if plan.beyond:
        lines.append(f"not sent: {plan.beyond}, over the limit; run again for them")
    return "\n".join(lines)


def replayed_text(done: Replayed) -> str:
    """Return what a replay did."""
    lines = [f"{done.sent} sent back, {done.elsewhere} left to another run, {done.failed} failed"]
    if done.elsewhere:
        lines.append("a run that died leaves its letters for two minutes; then this command takes them")
    lines += [one_line(f"{name}: {text}") for name, text in done.errors.items()]
    if done.stopped:
        lines.append("stopped early: nothing could be sent any more; run the same command again")
    return "\n".join(lines)


def _cells(*texts: str) -> list[Text]:
    return [Text(one_line(text)) for text in texts]


def _message(letter: DeadLetter) -> str:
    cut = "…" if len(letter.message) > MESSAGE_CHARS_SHOWN else ""
    return letter.message[:MESSAGE_CHARS_SHOWN] + cut


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%SZ}"


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _header(value: bytes | None) -> str:
    try:
        return "null" if value is None else value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}" if value else ""


def _hex_dump(value: bytes) -> str:
    lines = (value[first : first + HEX_BYTES_A_LINE] for first in range(0, len(value), HEX_BYTES_A_LINE))
    return "\n".join(
        f"{number * HEX_BYTES_A_LINE:06x}  {line.hex(' '):<{HEX_BYTES_A_LINE * 3}} "
        f"{''.join(chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else '.' for byte in line)}"
        for number, line in enumerate(lines)
    )
