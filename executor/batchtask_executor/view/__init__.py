"""What Airflow's log view shows of a BatchTask and its job."""
