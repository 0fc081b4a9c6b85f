"""Local mode: an API server, AWS Batch and Airflow on one machine, for tests and a first look."""
