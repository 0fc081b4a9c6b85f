"""The BatchTasks in Kubernetes: the port, the API server behind it, and the threads that use it."""
