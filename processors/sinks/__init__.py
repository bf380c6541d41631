"""Sinks: destinations of pages, one per file, all of one shape (the port `Sink`)."""
