"""Wiring and running: Kafka, PostgreSQL, the Faust shell, the command line."""
