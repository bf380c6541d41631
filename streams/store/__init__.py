"""PostgreSQL: what must be asked about. Each module is one component over `Database`."""
