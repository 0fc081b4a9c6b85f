"""Airflow's bundled example DAGs on BatchTaskExecutor and, beside it, on LocalExecutor."""
