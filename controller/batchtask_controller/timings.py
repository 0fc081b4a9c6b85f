"""The durations that the promises rest on: one frozen value, and no setting of the product."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Timings:
    """All in seconds. A test's entry point scales it together with local Batch's clock."""

    lease_duration: float = 8.0
    """How long a Lease that nobody renews keeps the others out."""
    renew_deadline: float = 5.0
    """How long a leader acts after its last renewal: it stops before others may start."""
    lease_retry: float = 2.0
    """The pause between looks at the Lease."""
    send_deadline: float = 30.0
    """An intent older than this is not sent on: the send must follow it closely."""
    call_timeout: float = 25.0
    """How long one AWS call may take, under the send deadline."""
    look_up_after: tuple[float, ...] = (5.0, 15.0, 30.0, 60.0, 120.0)
    """Ages of an intent of unknown outcome at which its job is looked for; then every last one."""
    resend_after: float = 300.0
    """How long nothing must be found before one's own lost submission is made again."""
    signature_life: float = 900.0
    """How long AWS takes a signed request: another controller's may arrive that late."""
    dating_lag: float = 60.0
    """How much later than it looked AWS may date its answer to a look-up."""
    visibility_lag: float = 120.0
    """How long AWS may take to show a job that it has taken."""
    intent_life: float = 86_400.0
    """An intent this old whose job isn't found is Lost: AWS may have forgotten the job."""
    token_reserve: float = 600.0
    """A token must have this long to live when its job is submitted."""
    workload_after: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
    """Pauses between looks for a Secret that isn't there yet; then every last one."""
    workload_deadline: float = 300.0
    """How long a task waits for its Secret before it fails."""
    release_deadline: float = 1_800.0
    """How long AWS may keep a deletion waiting."""
    blocked_after: tuple[float, ...] = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
    """Pauses between tries of what AWS denied or could not serve; then every last one."""
    terminate_again: float = 60.0
    """The pause between requests to end a job that has not ended yet."""
    cluster_again: float = 2.0
    """The pause after the API server did not answer."""
    refused_again: float = 30.0
    """The pause after the API server refused a request, or after a bug."""
    busy_again: float = 0.5
    """The pause after a task was found to be in other hands."""
    count_again: float = 600.0
    """The pause between counts of the tasks that are there."""
    absent_age: float = 300.0
    """A job younger than this that AWS doesn't show isn't lost, only late."""

    def scaled(self, factor: float) -> Self:
        """Every duration times a factor: 0.01 makes a minute 0.6 s."""
        durations: dict[str, Any] = {
            name: tuple(part * factor for part in value)
            if isinstance(value, tuple)
            else value * factor
            for name, value in asdict(self).items()
        }
        return replace(self, **durations)

    @property
    def resend_others_after(self) -> float:
        """Age at which another process's intent of unknown outcome may be submitted again."""
        return self.send_deadline + self.signature_life + self.dating_lag + self.visibility_lag


def step(schedule: tuple[float, ...], tries: int) -> float:
    """The pause after so many tries: the schedule's own, and its last one from then on."""
    return schedule[min(tries, len(schedule) - 1)]


ABSENT_SWEEPS = 3
"""How many sweeps in a row must miss a job before it can be Lost."""
