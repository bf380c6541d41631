"""Fixtures that more than one folder uses."""

pytest_plugins = ["fixtures.embedded", "fixtures.engine", "fixtures.store", "fixtures.worker"]
