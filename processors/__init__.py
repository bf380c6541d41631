"""Logic: one event in, the next out. Nothing here knows Kafka, a database or the environment."""
