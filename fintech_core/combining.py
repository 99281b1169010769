"""Combining: what comes while one is under way is carried out together, by the first of those who wait.

Whoever finds nobody under way begins at once. The others wait for its end; then one of them carries out what all of
them brought. So nothing waits for company that may never come, and the more there is to do the more is done together
(flat combining: Hendler, Incze, Shavit and Tzafrir, SPAA 2010; databases know it as group commit).

A task may be announced before it is brought. Whoever leads waits a moment for those that are on their way, since to go
with them costs less than to let them go after it.

One at a time leads. Whoever has waited too long takes over from a leader that seems to be stuck, with all who wait: the
stuck one ends with its own company, and nobody waits for it any more.
"""

import threading
import time
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


class Announcement:
    """A task that is on its way; it ends when the task comes or is withdrawn."""

    def __init__(self, withdraw: "Callable[[Announcement], None]") -> None:
        self._withdraw = withdraw

    def withdraw(self) -> None:
        """Say that the task will not come; nothing happens once it came."""
        self._withdraw(self)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one waits for another, in seconds.

    Those who wait for a leader wait ``leader_s`` before one of them takes over. A leader waits ``company_s`` for those
    who are announced, but for nobody who has been on the way for ``on_the_way_s``.
    """

    leader_s: float
    company_s: float
    on_the_way_s: float


class Combiner(Generic[Task, Outcome]):
    """Carries out the tasks of many threads, one group of at most ``most`` after the other.

    ``carry_out`` is called in the thread of one of them, with its own task and then the others in the order of their
    coming. It returns an outcome for each, None where there is none. What it raises is raised in that thread alone;
    the others have no outcome then.
    """

    def __init__(
        self,
        carry_out: Callable[[Sequence[Task]], Sequence[Outcome | None]],
        *,
        most: int,
        patience: Patience,
    ) -> None:
        self._carry_out = carry_out
        self._most = most
        self._patience = patience
        self._guard = threading.Lock()
        self._waiting: deque[_Seat[Task, Outcome]] = deque()
        self._leader: _Seat[Task, Outcome] | None = None
        self._announced: dict[Announcement, float] = {}  # since when, the newest last
        self._company_is_here = threading.Condition(self._guard)

    def announce(self) -> Announcement:
        """Say that a task is on its way. Whoever does so brings it or withdraws."""
        announcement = Announcement(self._withdraw)
        with self._guard:
            self._announced[announcement] = time.monotonic()
        return announcement

    def _withdraw(self, announcement: Announcement) -> None:
        with self._guard:
            self._end(announcement)

    def _end(self, announcement: Announcement) -> None:
        if self._announced.pop(announcement, None) is not None and self._is_company_here():
            self._company_is_here.notify_all()

    def run(self, task: Task, announcement: Announcement | None = None) -> Outcome | None:
        """Let the task be carried out, alone or in company, by this thread or another; return its outcome."""
        seat: _Seat[Task, Outcome] = _Seat(task)
        with self._guard:
            if announcement is not None:
                self._end(announcement)
            if self._leader is None:
                self._give_lead_to(seat)
            else:
                self._waiting.append(seat)
                if self._is_company_full():
                    self._company_is_here.notify_all()
        if not seat.leads:
            self._wait(seat)
        if seat.leads:
            self._carry_out_company_of(seat)
        return seat.outcome

    def _give_lead_to(self, seat: _Seat[Task, Outcome]) -> None:
        self._leader, seat.leads = seat, True

    def _wait(self, seat: _Seat[Task, Outcome]) -> None:
        """Wait until this one leads, by its turn or for want of patience, or was carried out in company."""
        if seat.door.acquire(timeout=self._patience.leader_s):
            return
        with self._guard:
            if seat in self._waiting:
                self._waiting.remove(seat)
                self._give_lead_to(seat)
        if not seat.leads:  # it is being carried out
            seat.door.acquire()

    def _carry_out_company_of(self, seat: _Seat[Task, Outcome]) -> None:
        """Carry out this one and those who wait or are about to, then let the next one lead."""
        company = [seat]
        try:
            with self._guard:
                self._company_is_here.wait_for(self._is_company_here, timeout=self._patience.company_s)
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

    def _is_company_full(self) -> bool:
        return len(self._waiting) >= self._most - 1

    def _is_company_here(self) -> bool:
        """Say whether there is nobody left to wait for."""
        if not self._announced or self._is_company_full():
            return True
        newest = next(reversed(self._announced.values()))
        return time.monotonic() - newest > self._patience.on_the_way_s

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
