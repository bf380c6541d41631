"""How long the record that led to an event took, by what it waited for or did: header `server-timing`.

Source: https://www.w3.org/TR/server-timing/#the-server-timing-header-field
"""

import re
from collections.abc import Mapping

TIMING = "server-timing"
METRICS_MAX = 50
METRIC = re.compile(r"^([a-z_-]{1,60});dur=([0-9]{1,12}(?:\.[0-9]{1,3})?)$")
MS = 1000


def timing_text(timing_s: Mapping[str, float]) -> str:
    """Return the header's text, such as `turn;dur=12, call;dur=1200.5`; what took no millisecond is left out.

    Args:
        timing_s: seconds by what they went into; the names are lower-case letters, `_` and `-`.
    """
    shown = [f"{name};dur={s * MS:.1f}" for name, s in timing_s.items() if s * MS >= 1]
    return ", ".join(shown)


def parse_timing(text: str) -> dict[str, float]:
    """Return seconds by name; what is no such metric is left out, as the standard asks."""
    found = (METRIC.match(part.strip()) for part in text.split(",", METRICS_MAX)[:METRICS_MAX])
    return {match[1]: float(match[2]) / MS for match in found if match}
