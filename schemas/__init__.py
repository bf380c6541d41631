"""Messages: what every topic carries, as frozen pydantic models and their codec."""
