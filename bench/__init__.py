"""What a task costs a scheduler, AWS and a cluster, beside what users would pick instead."""
