"""The demonstration: an Airflow DAG on local Batch through BatchTasks, with one command."""
