"""The commands that Airflow's own CLI takes in."""
