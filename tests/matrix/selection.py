"""What `make test` runs of the matrix: few DAGs that show every feature between them."""

from collections.abc import Iterable

from matrix.catalog import OWN
from matrix.example import Bounds, Cover, Example, Feature, cover

BOUNDS = Bounds(dags=15, tasks=80)


def ci_cover(known: Iterable[Example]) -> Cover:
    """Cover all features by Airflow's examples, and by DAGs of our own what these don't show."""
    known = tuple(known)
    examples = cover((one for one in known if one.module != OWN), Feature, BOUNDS)
    left = Bounds(BOUNDS.dags - len(examples.chosen), BOUNDS.tasks - examples.tasks)
    own = cover((one for one in known if one.module == OWN), examples.missing, left)
    return Cover((*examples.chosen, *own.chosen), own.missing)
