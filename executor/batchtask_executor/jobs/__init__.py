"""What a workload asks of AWS Batch, and what its container is given."""
