"""Airflow's examples' own weights, under the name by which an example asks for them."""

from airflow.example_dags.plugins.decreasing_priority_weight_strategy import (
    DecreasingPriorityWeightStrategyPlugin as DecreasingPriorityWeightStrategyPlugin,
)
