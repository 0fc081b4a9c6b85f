"""What becomes of each task, from its queuing until Airflow has taken in its end."""
