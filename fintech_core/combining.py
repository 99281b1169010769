"""Combining: what comes while a group is carried out is carried out together after it, by one of those who wait.

Whoever finds no leader begins at once. The others wait for its end; then one of them carries out what all of them
brought. So nothing waits for others that may never come, and the more there is to do the more is done together
(flat combining: Hendler, Incze, Shavit and Tzafrir, SPAA 2010; databases know it as group commit).

A task may be announced before it is brought. A leader waits a moment for those that are announced, since to carry them
out in its group costs less than to leave them for the next one.

One leads at a time. Whoever has waited too long takes over from a leader that seems to be stuck, with all who wait: the
stuck one ends with its own group, and nobody waits for it any more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def _acquired_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Slot(Generic[Task, Outcome]):
    """One task, its outcome, and the lock that is released when its thread is to lead or its task was carried out."""

    task: Task
    outcome: Outcome | None = None
    leads: bool = False
    wake_up: threading.Lock = field(default_factory=_acquired_lock)


class Announcement:
    """A task that is about to come; it ends when the task comes or is withdrawn."""

    def __init__(self, withdraw: "Callable[[Announcement], None]") -> None:
        self._withdraw = withdraw

    def withdraw(self) -> None:
        """Say that the task will not come; nothing happens once it came."""
        self._withdraw(self)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long one thread waits for another at most, in seconds.

    Those who wait for a leader wait ``takeover_s`` before one of them takes over. A leader waits ``gather_s`` for tasks
    that are announced, but for none that was announced more than ``announced_s`` ago.
    """

    takeover_s: float
    gather_s: float
    announced_s: float


class Combiner(Generic[Task, Outcome]):
    """Carries out the tasks of many threads, one group of at most ``max_size`` after the other.

    ``carry_out`` is called in the thread of one of them, with its own task and then the others in the order of their
    coming. It returns an outcome for each, None where there is none. What it raises is raised in that thread alone;
    the others have no outcome then.
    """

    def __init__(
        self,
        carry_out: Callable[[Sequence[Task]], Sequence[Outcome | None]],
        *,
        max_size: int,
        waits: Waits,
    ) -> None:
        self._carry_out = carry_out
        self._max_size = max_size
        self._waits = waits
        self._guard = threading.Lock()
        self._waiting: deque[_Slot[Task, Outcome]] = deque()
        self._leader: _Slot[Task, Outcome] | None = None
        self._announced: dict[Announcement, float] = {}  # since when, the newest last
        self._group_is_complete = threading.Condition(self._guard)

    def announce(self) -> Announcement:
        """Say that a task is about to come. Whoever does so brings it or withdraws."""
        announcement = Announcement(self._withdraw)
        with self._guard:
            self._announced[announcement] = time.monotonic()
        return announcement

    def _withdraw(self, announcement: Announcement) -> None:
        with self._guard:
            self._end(announcement)

    def _end(self, announcement: Announcement) -> None:
        if self._announced.pop(announcement, None) is not None and self._is_group_complete():
            self._group_is_complete.notify_all()

    def run(self, task: Task, announcement: Announcement | None = None) -> Outcome | None:
        """Let the task be carried out, alone or in a group, by this thread or another; return its outcome."""
        slot: _Slot[Task, Outcome] = _Slot(task)
        with self._guard:
            if announcement is not None:
                self._end(announcement)
            if self._leader is None:
                self._make_leader(slot)
            else:
                self._waiting.append(slot)
                if self._is_group_full():
                    self._group_is_complete.notify_all()
        if not slot.leads:
            self._wait(slot)
        if slot.leads:
            self._carry_out_group_of(slot)
        return slot.outcome

    def _make_leader(self, slot: _Slot[Task, Outcome]) -> None:
        self._leader, slot.leads = slot, True

    def _wait(self, slot: _Slot[Task, Outcome]) -> None:
        """Wait until this one leads, by its turn or by taking over, or was carried out in another's group."""
        if slot.wake_up.acquire(timeout=self._waits.takeover_s):
            return
        with self._guard:
            if slot in self._waiting:
                self._waiting.remove(slot)
                self._make_leader(slot)
        if not slot.leads:  # it is being carried out
            slot.wake_up.acquire()

    def _carry_out_group_of(self, leader: _Slot[Task, Outcome]) -> None:
        """Carry out this one and those who wait or are about to, then let the next one lead."""
        group = [leader]
        try:
            with self._guard:
                self._group_is_complete.wait_for(self._is_group_complete, timeout=self._waits.gather_s)
                while self._waiting and len(group) < self._max_size:
                    group.append(self._waiting.popleft())
            outcomes = self._carry_out([slot.task for slot in group])
            for slot, outcome in zip(group, outcomes, strict=True):
                slot.outcome = outcome
        finally:
            try:
                self._pass_lead_on(leader)
            finally:
                for slot in group[1:]:
                    slot.wake_up.release()

    def _is_group_full(self) -> bool:
        return len(self._waiting) >= self._max_size - 1

    def _is_group_complete(self) -> bool:
        """Say whether there is nobody left to wait for."""
        if not self._announced or self._is_group_full():
            return True
        newest = next(reversed(self._announced.values()))
        return time.monotonic() - newest > self._waits.announced_s

    def _pass_lead_on(self, leader: _Slot[Task, Outcome]) -> None:
        """Let whoever has waited longest lead, unless somebody has taken over already."""
        with self._guard:
            if self._leader is not leader:
                return
            self._leader = None
            if self._waiting:
                longest = self._waiting.popleft()
                self._make_leader(longest)
                longest.wake_up.release()
