"""The controller's steps for one task, each named after the code that takes it."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from model.moves import Move, Written, put_mind, write
from model.rules import Model
from model.settle import numbers
from model.state import (
    NAMES,
    NO_JOB,
    SEEN,
    Call,
    Intent,
    Late,
    Lead,
    Mind,
    Process,
    Request,
    Result,
    Stage,
    Task,
    Version,
)

CODE: Mapping[str, str] = {
    "sees the next version": "batchtask_controller.store:Store.observe",
    "sees an older version": "batchtask_controller.store:Store.observe",
    "writes the intent": "batchtask_controller.submitter:Submitter._announce",
    "gets 409 and reads again": "batchtask_controller.reconcile:Reconciler._reread",
    "decides again": "batchtask_controller.submitter:Submitter._send",
    "signs": "batchtask_controller.aws:AwsBatch._submit",
    "signs with a date ahead": "batchtask_controller.aws:AwsBatch._submit",
    "passes before-send": "batchtask_controller.aws:AwsBatch._before_send",
    "is stopped by before-send": "batchtask_controller.aws:AwsBatch._before_send",
    "sends": "batchtask_controller.aws:AwsBatch._submit",
    "sends, dated ahead": "batchtask_controller.aws:AwsBatch._submit",
    "cannot connect": "batchtask_controller.aws_errors:translate",
    "loses the reply": "batchtask_controller.aws_errors:translate",
    "times out": "batchtask_controller.aws_errors:translate",
    "records the job": "batchtask_controller.submitter:Submitter._sent",
    "withdraws the intent": "batchtask_controller.submitter:Submitter._not_sent",
    "ends it as Failed": "batchtask_controller.submitter:Submitter._fail",
    "looks for the job": "batchtask_controller.recovery:Recovery.recover",
    "reads the answer": "batchtask_controller.recovery:Recovery._nothing_found",
    "adopts the job": "batchtask_controller.recovery:Recovery._adopt",
    "holds the intent for unsent": "batchtask_controller.recovery:Recovery._nothing_found",
    "ends it as Lost": "batchtask_controller.recovery:Recovery._nothing_known",
    "shows the job": "batchtask_controller.reconcile:Reconciler._keep_true",
    "ends it": "batchtask_controller.reconcile:Reconciler._finish",
}
"""Each action and the function that it stands for."""


class Place(NamedTuple):
    """Who acts on which task, and what may go wrong."""

    process: int
    actor: Process
    which: int
    elsewhere: int = NO_JOB
    """A visible job of another task, which a look-up without the uid would find."""


def moves(task: Task, place: Place, model: Model) -> Iterator[Move]:
    """What the process can do next about the task."""
    process, actor = place.process, place.actor
    mind = task.minds[process]
    if not actor.alive or actor.paused:
        return
    doer = _Doer(task, place, model)
    if mind.behind:
        yield doer.move("sees the next version", put_mind(task, process, _caught_up(mind, 1)))
    if not model.rules.store_never_goes_back and mind.behind + 1 < len(task.versions):
        yield doer.move("sees an older version", put_mind(task, process, _caught_up(mind, -1)))
    if mind.call is not None:
        yield from doer.go_on(mind.call)
    elif actor.lead is not Lead.NO:
        yield from doer.look()


def _caught_up(mind: Mind, by: int) -> Mind:
    return mind._replace(behind=mind.behind - by)


class _Doer:
    """One process at one task at one moment."""

    def __init__(self, task: Task, place: Place, model: Model) -> None:
        self._task = task
        self._place = place
        self._process = place.process
        self._model = model
        self._rules = model.rules
        self._mind = task.minds[place.process]
        self._view = self._task.versions[-1 - self._mind.behind]

    # -- plan ------------------------------------------------------------------------------------

    def look(self) -> Iterator[Move]:
        """`Reconciler._look`: the rows of `plan` that matter here."""
        view, mind = self._view, self._mind
        intent = view.intent
        job = view.job if view.job != NO_JOB else mind.sent
        if view.done:
            return
        is_open = job == NO_JOB and intent is not None and intent.number not in mind.unsent
        if is_open and view.cancel and not self._rules.recover_first:
            yield from self._patch("ends it", mind, "end", job)
        elif is_open and intent is not None:
            yield from self._recover(intent)
        elif job != NO_JOB and view.job == NO_JOB:
            yield from self._patch("shows the job", mind, "job", job)
        elif job != NO_JOB or view.cancel:
            yield from self._patch("ends it", mind, "end", job)
        else:
            yield from self._announce()

    # -- submitter.py ----------------------------------------------------------------------------

    def _announce(self) -> Iterator[Move]:
        number = max(numbers(self._task), default=0) + 1
        intent = Intent(number, self._process + 1, 0)
        mind = self._mind._replace(since=0, overtaken=False)
        call = Call(Stage.ANNOUNCED, number)
        if not self._rules.intent:
            yield self._to("writes the intent", mind._replace(call=call))
            return
        sure = mind._replace(unsent=(*mind.unsent, number), since=self._mind.since)
        unsure = sure if self._rules.unsent_memory else mind._replace(since=self._mind.since)
        yield from self._write(
            "writes the intent", "intent", mind._replace(call=call), unsure, intent=intent
        )

    def go_on(self, call: Call) -> Iterator[Move]:
        """The next step of a call."""
        match call.stage:
            case Stage.ANNOUNCED:
                yield from self._sign(call)
            case Stage.SIGNED:
                yield from self._before_send(call)
            case Stage.PASSED:
                yield from self._send(call)
            case Stage.WAITING:
                yield from self._wait(call)
            case Stage.ANSWERED:
                yield from self._answered(call)
            case Stage.LOOKED:
                yield from self._looked(call)

    def _sign(self, call: Call) -> Iterator[Move]:
        yield from self._signed("signs", call._replace(stage=Stage.SIGNED, signed=0), None)
        ahead = self._model.world.jump
        if ahead:
            signed = call._replace(stage=Stage.SIGNED, signed=-ahead, wall=call.wall + ahead)
            yield from self._signed("signs with a date ahead", signed, "jump")

    def _signed(self, action: str, call: Call, fault: str | None) -> Iterator[Move]:
        """Between signing and `before-send` a delay only makes the signature older."""
        if self._model.fine:
            yield self._calls(action, call, fault)
        else:
            yield from self._before_send(call, fault)

    def _before_send(self, call: Call, fault: str | None = None) -> Iterator[Move]:
        rules, deadline = self._rules, self._model.ticks.send_deadline
        leads = self._place.actor.lead is Lead.YES
        if not (
            (leads or not rules.leads_before_send)
            and (call.held <= deadline or not rules.deadline_monotonic)
            and (call.wall <= deadline or not rules.deadline_wall)
        ):
            yield self._calls("is stopped by before-send", _answer(call, Result.UNSENT), fault)
            return
        passed = call._replace(stage=Stage.PASSED, held=0, wall=0)
        if self._model.fine:
            yield self._calls("passes before-send", passed, fault)
        else:
            yield from self._send(passed, fault)

    def _send(self, call: Call, fault: str | None = None) -> Iterator[Move]:
        """What waits in this process and what waits in the network arrives alike."""
        request = Request(call.number, self._process + 1, call.signed, None)
        waiting = self._mind._replace(call=call._replace(stage=Stage.WAITING, signed=0))
        task = self._task._replace(requests=(*self._task.requests, request))
        action = "sends, dated ahead" if call.signed < 0 else "sends"
        yield self.move(action, put_mind(task, self._process, waiting), fault)
        if fault is None:
            yield self._calls("cannot connect", _answer(call, Result.UNSENT), "refuse")

    def _wait(self, call: Call) -> Iterator[Move]:
        """`OutcomeUnknown`: no answer, or none that can be read."""
        own = self._process + 1
        mine = [r for r in self._task.requests if r.by == own and r.left is None]
        if not mine:
            yield self._unknown("times out", call, self._task, None)
        else:
            left = self._model.straggling
            rest = tuple(
                r._replace(left=left, by=0) if r in mine else r for r in self._task.requests
            )
            yield self._unknown(
                "loses the reply", call, self._task._replace(requests=rest), "reply"
            )

    def _unknown(self, action: str, call: Call, task: Task, fault: str | None) -> Move:
        mind = self._mind._replace(call=None)
        if not self._rules.unknown_is_unknown:
            mind = mind._replace(call=_answer(call, Result.UNSENT))
        elif self._rules.age_from_end_of_call:
            mind = mind._replace(since=0)
        return self.move(action, put_mind(task, self._process, mind), fault)

    def _answered(self, call: Call) -> Iterator[Move]:
        mind = self._mind._replace(call=None)
        unsent = mind._replace(unsent=(*mind.unsent, call.number))
        if call.result is Result.JOB:
            yield self._unknown("loses the reply", call, self._task, "reply")
        if call.result is Result.JOB:
            job = call.job
            known = mind._replace(sent=job) if self._rules.ledger else mind
            yield from self._patch("records the job", known, "job", job, call)
        elif call.result is Result.UNSENT:
            known = unsent if self._rules.unsent_memory else mind
            yield from self._patch("withdraws the intent", known, "withdraw", NO_JOB, call)
        else:
            yield from self._patch("ends it as Failed", unsent, "end", NO_JOB, call)

    # -- recovery.py -----------------------------------------------------------------------------

    def _recover(self, intent: Intent) -> Iterator[Move]:
        if not self._rules.look_up:
            if intent.by == self._process + 1:
                yield self._to("holds the intent for unsent", self._unsent(intent.number))
            return
        job, old = self._found(), self._mind.behind > 0
        call = Call(Stage.LOOKED, intent.number, job=job)
        if job != NO_JOB and (self._model.fine or not self._rules.patch_of_decided):
            yield self._to("looks for the job", self._mind._replace(call=call, overtaken=old))
        elif job != NO_JOB:
            yield from self._adopt(job, None)
        elif not self._rules.age_before_look_up:
            yield self._to("looks for the job", self._mind._replace(call=call, overtaken=old))
        else:
            yield from self._nothing_found(intent, None)

    def _found(self) -> int:
        """The job that ListJobs shows, by its owner."""
        if self._task.job == SEEN:
            return self._place.which
        return NO_JOB if self._rules.uid_in_name else self._place.elsewhere

    def _looked(self, call: Call) -> Iterator[Move]:
        intent = self._view.intent
        if call.job != NO_JOB:
            yield from self._adopt(call.job, call)
        elif intent is not None and intent.number == call.number:
            yield from self._nothing_found(intent, call)
        else:
            yield self._to("reads the answer", self._mind._replace(call=None))

    def _adopt(self, job: int, call: Call | None) -> Iterator[Move]:
        mind = self._mind._replace(call=None)
        known = mind._replace(sent=job) if self._rules.ledger else mind
        yield from self._patch("adopts the job", known, "job", job, call)

    def _nothing_found(self, intent: Intent, call: Call | None) -> Iterator[Move]:
        """Too young: looked for again; old enough: sent again; older still: Lost."""
        age, bound = self._age(intent)
        mind = self._mind._replace(call=None)
        if bound <= age < self._model.ticks.intent_life:
            known = self._unsent(intent.number)
            yield self._to("holds the intent for unsent", known)
        elif age >= self._model.ticks.intent_life:
            yield from self._patch("ends it as Lost", mind, "end", NO_JOB, call)
        elif call is not None:
            yield self._to("reads the answer", mind)

    def _age(self, intent: Intent) -> tuple[int, int]:
        """`Recovery._age` and the bound that goes with it."""
        since = self._mind.since
        if intent.by == self._process + 1 and since is not None:
            return since, self._model.own_wait
        return intent.age, self._model.others_wait

    def _unsent(self, number: int) -> Mind:
        return self._mind._replace(call=None, unsent=(*self._mind.unsent, number))

    # -- writer.py -------------------------------------------------------------------------------

    def _patch(
        self, action: str, mind: Mind, what: str, job: int, call: Call | None = None
    ) -> Iterator[Move]:
        """A status patch; afterwards, whatever became of it, the record is `mind`."""
        yield from self._write(action, what, mind, mind, job=job, call=call)

    def _write(
        self,
        action: str,
        what: str,
        answered: Mind,
        unanswered: Mind,
        *,
        job: int = NO_JOB,
        intent: Intent | None = None,
        call: Call | None = None,
    ) -> Iterator[Move]:
        if call is not None and not self._still_stands(call):
            yield self._to("decides again", answered)
            return
        if self._rules.compare_and_swap and not self._is_current(call):
            mind = self._mind._replace(call=None) if intent else answered
            yield self._to("gets 409 and reads again", mind._replace(behind=0))
            return
        task = put_mind(self._task, self._process, answered)
        version = changed(self._task.versions[-1], what, job, intent)
        done = write(task, version, self._process, self._place.which, self._model)
        yield self._written(action, done, None)
        yield from self._unanswered(action, what, unanswered, version, intent)

    def _unanswered(
        self, action: str, what: str, mind: Mind, version: Version, intent: Intent | None
    ) -> Iterator[Move]:
        """`Unreachable`: it stands there all the same, or will, or never."""
        task = put_mind(self._task, self._process, mind)
        done = write(task, version, None, self._place.which, self._model)
        yield self._written(f"{action}, answer lost", done, "patch")
        patch = Late(what, intent)
        late = task._replace(late=(*task.late, patch))
        yield self.move(f"{action}, patch late", late, "patch")

    def _still_stands(self, call: Call) -> bool:
        """Whether the version last seen is one that the call's result belongs to."""
        intent = self._view.intent
        is_its = intent is not None and intent.number == call.number
        return not self._rules.patch_where_intent_stands or (is_its and not self._view.done)

    def _is_current(self, call: Call | None) -> bool:
        """Whether the version that the patch carries is the API server's."""
        if call is not None and self._rules.patch_of_decided:
            return not self._mind.overtaken
        return self._mind.behind == 0

    # -- results ---------------------------------------------------------------------------------

    def move(self, action: str, task: Task, fault: str | None = None) -> Move:
        """The move that leaves the task so."""
        return self._written(action, Written(task), fault)

    def _written(self, action: str, written: Written, fault: str | None) -> Move:
        return Move(NAMES[self._process], action, written.task, fault, written.broken)

    def _to(self, action: str, mind: Mind) -> Move:
        return self.move(action, put_mind(self._task, self._process, mind))

    def _calls(self, action: str, call: Call, fault: str | None = None) -> Move:
        mind = self._mind._replace(call=call)
        return self.move(action, put_mind(self._task, self._process, mind), fault)


def _answer(call: Call, result: Result) -> Call:
    return Call(Stage.ANSWERED, call.number, result=result)


def changed(version: Version, what: str, job: int, intent: Intent | None) -> Version:
    """The version after a status patch; a patch names a phase, and so undoes an end."""
    match what:
        case "intent":
            return version._replace(intent=intent, done=False)
        case "withdraw":
            return version._replace(intent=None, done=False)
        case "job":
            return version._replace(job=job, done=False)
        case _:
            return version._replace(done=True)
