"""Combining: what comes while one is under way is carried out together, by the first of those who wait.

Whoever finds nobody under way begins at once. The others wait for its end; then one of them carries out what all of
them brought. So nothing waits for company that may never come, and the more there is to do the more is done together
(flat combining: Hendler, Incze, Shavit and Tzafrir, SPAA 2010; databases know it as group commit).

One at a time leads. Whoever has waited for ``patience_s`` takes over from a leader that seems to be stuck, with all who
wait: the stuck one ends with its own company, and nobody waits for it any more.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def _closed() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Seat(Generic[Task, Outcome]):
    """One task, its outcome, and the door behind which its thread waits until it leads or was carried out."""

    task: Task
    outcome: Outcome | None = None
    leads: bool = False
    door: threading.Lock = field(default_factory=_closed)


class Combiner(Generic[Task, Outcome]):
    """Carries out the tasks of many threads, one group of at most ``most`` after the other.

    ``carry_out`` is called in the thread of one of them, with its own task and then the others in the order of their
    coming. It returns an outcome for each, None where there is none. What it raises is raised in that thread alone;
    the others have no outcome then.
    """

    def __init__(
        self, carry_out: Callable[[Sequence[Task]], Sequence[Outcome | None]], *, most: int, patience_s: float
    ) -> None:
        self._carry_out = carry_out
        self._most = most
        self._patience_s = patience_s
        self._guard = threading.Lock()
        self._waiting: deque[_Seat[Task, Outcome]] = deque()
        self._leader: _Seat[Task, Outcome] | None = None

    def run(self, task: Task) -> Outcome | None:
        """Let the task be carried out, alone or in company, by this thread or another; return its outcome."""
        seat: _Seat[Task, Outcome] = _Seat(task)
        with self._guard:
            if self._leader is None:
                self._give_lead_to(seat)
            else:
                self._waiting.append(seat)
        if not seat.leads:
            self._wait(seat)
        if seat.leads:
            self._carry_out_company_of(seat)
        return seat.outcome

    def _give_lead_to(self, seat: _Seat[Task, Outcome]) -> None:
        self._leader, seat.leads = seat, True

    def _wait(self, seat: _Seat[Task, Outcome]) -> None:
        """Wait until this one leads, by its turn or for want of patience, or was carried out in company."""
        if seat.door.acquire(timeout=self._patience_s):
            return
        with self._guard:
            if seat in self._waiting:
                self._waiting.remove(seat)
                self._give_lead_to(seat)
        if not seat.leads:  # it is being carried out
            seat.door.acquire()

    def _carry_out_company_of(self, seat: _Seat[Task, Outcome]) -> None:
        """Carry out this one and those who wait, then let the next one lead."""
        company = [seat]
        try:
            with self._guard:
                while self._waiting and len(company) < self._most:
                    company.append(self._waiting.popleft())
            outcomes = self._carry_out([one.task for one in company])
            for one, outcome in zip(company, outcomes, strict=True):
                one.outcome = outcome
        finally:
            try:
                self._hand_over(seat)
            finally:
                for one in company[1:]:
                    one.door.release()

    def _hand_over(self, seat: _Seat[Task, Outcome]) -> None:
        """Let whoever has waited longest lead, unless somebody has lost patience and leads already."""
        with self._guard:
            if self._leader is not seat:
                return
            self._leader = None
            if self._waiting:
                heir = self._waiting.popleft()
                self._give_lead_to(heir)
                heir.door.release()
