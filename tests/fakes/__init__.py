"""Stateful simulators of what the code talks to, each true to the real thing by a shared suite."""
