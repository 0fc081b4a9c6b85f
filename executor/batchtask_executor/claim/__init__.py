"""Whose an instance is: which Airflow may write under its name."""
