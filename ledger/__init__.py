"""What is known: subjects, deliveries, planned work and the append-only entries, in Postgres."""
