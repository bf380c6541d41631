"""Which table is opened; Redis itself is in tests/integration."""

import pytest
from pydantic import SecretStr

from streams import lease_tables
from streams.lease_tables import open_lease_table, require_redis
from streams.settings import Settings, SettingsError
from streams.store.limit_leases import PostgresLeaseTable
from streams.store.limit_leases_redis import RedisLeaseTable

NOBODY = "redis://:hidden@127.0.0.1:1/0"


def settings(url: str | None) -> Settings:
    return Settings(_env_file=None, redis=None if url is None else SecretStr(url))


async def test_shares_are_lent_through_postgresql_unless_redis_is_set() -> None:
    async with open_lease_table(settings(None), None, "w") as table:  # type: ignore[arg-type] # not used yet
        assert isinstance(table, PostgresLeaseTable)
    async with open_lease_table(settings(NOBODY), None, "w") as table:  # type: ignore[arg-type] # not needed
        assert isinstance(table, RedisLeaseTable)


async def test_a_missing_package_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_tables, "find_spec", lambda _name: None)

    require_redis(settings(None))
    with pytest.raises(SettingsError, match=r"pip install 'pressline\[redis\]'"):
        require_redis(settings(NOBODY))


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hidden@h:hidden/0",
        "redis://:hid#den@h:6379",
        "redis://:hidden@[h/0",
        "redis://:hidden@h/0?no_such_option=1",
        "redis://:hidden@h/0?socket_timeout=hidden",
        "rediss://:hidden@h/0?ssl_cert_reqs=hidden",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_the_start_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="PRESSLINE_REDIS cannot be used, expected redis://") as wrong:
        require_redis(settings(url))

    assert "hid" not in str(wrong.value)
