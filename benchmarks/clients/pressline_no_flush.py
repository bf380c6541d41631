"""The gateway with PostgreSQL's files in memory: the same work, and flushes that cost nothing."""

import caller
from pressline_gateway import open_client

caller.main(open_client)
