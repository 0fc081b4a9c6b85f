"""The controller: it turns BatchTasks into AWS Batch jobs and writes back what happens to them."""
