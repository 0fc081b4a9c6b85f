"""Two controllers are killed and frozen at every step, over a faulty AWS Batch; then an audit."""
