"""The stage engine: exact, bounded consumption of Kafka for slow calls."""
