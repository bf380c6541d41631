"""Apache Kafka and PostgreSQL as child processes of Pressline, brought by pip alone."""
