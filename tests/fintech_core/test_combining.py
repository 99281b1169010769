"""Combining: alone without delay, together behind somebody or with those on their way, each once, none stuck."""

import threading
import time
from collections.abc import Sequence

import pytest

from fintech_core.combining import Combiner, Waits
from tests.waiting import until

LONG_S = 10.0
WAITS = Waits(takeover_s=LONG_S, gather_s=LONG_S, announced_s=LONG_S)


class Work:
    """Doubles numbers, one group after the other; a group that is led by one of ``holds`` waits until it may go on."""

    def __init__(
        self,
        *,
        max_size: int = 10,
        takeover_s: float = LONG_S,
        gather_s: float = LONG_S,
        announced_s: float = LONG_S,
        holds: Sequence[int] = (0,),
    ) -> None:
        waits = Waits(takeover_s=takeover_s, gather_s=gather_s, announced_s=announced_s)
        self.combiner: Combiner[int, int] = Combiner(self._carry_out, max_size=max_size, waits=waits)
        self.groups: list[list[int]] = []
        self.outcomes: dict[int, int | None] = {}
        self.failures: dict[int, Exception] = {}
        self.may_go = {task: threading.Event() for task in holds}
        self.threads: list[threading.Thread] = []

    def _carry_out(self, tasks: Sequence[int]) -> list[int | None]:
        self.groups.append(list(tasks))
        if tasks[0] in self.may_go:
            assert self.may_go[tasks[0]].wait(LONG_S)
        if 13 in tasks:
            raise ValueError("thirteen")
        return [None if task < 0 else 2 * task for task in tasks]

    def lead(self, task: int) -> None:
        """Bring a task in a thread of its own, and return once its group is being carried out."""
        self._start(task)
        until(lambda: any(group[0] == task for group in self.groups))

    def wait(self, *tasks: int) -> None:
        """Bring tasks in threads of their own, each once the one before waits."""
        for task in tasks:
            waiting = len(self.combiner._waiting)
            self._start(task)
            until(lambda there=waiting: len(self.combiner._waiting) > there)  # type: ignore[misc]

    def end(self) -> None:
        """Let everything go on, and wait for the end."""
        for may_go in self.may_go.values():
            may_go.set()
        for thread in self.threads:
            thread.join(LONG_S)
            assert not thread.is_alive()

    def _start(self, task: int) -> None:
        self.threads.append(threading.Thread(target=self._bring, args=(task,)))
        self.threads[-1].start()

    def _bring(self, task: int) -> None:
        try:
            self.outcomes[task] = self.combiner.run(task)
        except ValueError as error:
            self.failures[task] = error

    def behind_one(self, *tasks: int) -> None:
        """Bring 0, which is held, then the others in their order; let all of it go on, and wait for the end."""
        self.lead(0)
        self.wait(*tasks)
        self.end()


class TestGroups:
    def test_whoever_finds_nobody_under_way_begins_at_once_and_alone(self) -> None:
        work = Work()
        assert [work.combiner.run(task) for task in (1, 2, 3)] == [2, 4, 6]
        assert work.groups == [[1], [2], [3]]

    def test_those_who_come_meanwhile_are_carried_out_together_in_their_order(self) -> None:
        work = Work()
        work.behind_one(1, 2, 3)
        assert work.groups == [[0], [1, 2, 3]]
        assert work.outcomes == {0: 0, 1: 2, 2: 4, 3: 6}

    def test_no_more_than_the_maximum_go_together(self) -> None:
        work = Work(max_size=2)
        work.behind_one(1, 2, 3, 4, 5)
        assert work.groups == [[0], [1, 2], [3, 4], [5]]
        assert work.outcomes == {task: 2 * task for task in range(6)}

    def test_what_has_no_outcome_is_told_so(self) -> None:
        work = Work()
        work.behind_one(1, -2, 3)
        assert work.outcomes == {0: 0, 1: 2, -2: None, 3: 6}


class TestFailures:
    def test_what_a_group_raises_is_raised_in_its_leader_alone_and_the_others_have_no_outcome(self) -> None:
        work = Work()
        work.behind_one(13, 1, 2)
        assert work.groups == [[0], [13, 1, 2]]
        assert (list(work.failures), work.outcomes) == ([13], {0: 0, 1: None, 2: None})
        assert work.combiner.run(7) == 14

    def test_too_few_outcomes_leave_nobody_waiting(self) -> None:
        short: Combiner[int, int] = Combiner(lambda _tasks: [], max_size=2, waits=WAITS)
        with pytest.raises(ValueError, match="shorter"):
            short.run(1)
        with pytest.raises(ValueError, match="shorter"):
            short.run(2)


class TestTakingOver:
    def test_whoever_has_waited_long_enough_takes_over_with_all_who_wait(self) -> None:
        work = Work(takeover_s=1.0)
        work.lead(0)
        work.wait(1, 2)
        until(lambda: work.outcomes == {1: 2, 2: 4})
        assert [sorted(group) for group in work.groups] == [[0], [1, 2]]
        until(lambda: work.combiner._leader is None)  # nobody waits for the stuck one any more
        work.end()
        assert work.outcomes[0] == 0

    def test_a_stuck_one_that_ends_takes_the_lead_from_nobody(self) -> None:
        work = Work(takeover_s=0.05, holds=(0, 1))
        work.lead(0)
        work.lead(1)
        work.may_go[0].set()
        until(lambda: 0 in work.outcomes)
        assert work.combiner._leader is not None
        assert work.combiner._leader.task == 1
        work.end()
        assert work.outcomes == {0: 0, 1: 2}
        assert work.combiner._leader is None

    def test_whoever_is_being_carried_out_waits_for_its_end_however_long_it_takes(self) -> None:
        work = Work(takeover_s=1.0, holds=(0, 1))
        work.lead(0)
        work.wait(1, 2)
        work.may_go[0].set()
        until(lambda: [1, 2] in work.groups)
        time.sleep(1.2)
        assert work.outcomes == {0: 0}
        work.end()
        assert (work.groups, work.outcomes) == ([[0], [1, 2]], {0: 0, 1: 2, 2: 4})


class TestAnnounced:
    """Whoever leads waits for those that are announced; 1 leads in these tests, and 2 comes or does not."""

    @staticmethod
    def about_to_lead(work: Work) -> None:
        """Bring 1, and return once it leads and waits for others."""
        work._start(1)
        until(lambda: work.combiner._leader is not None)
        time.sleep(0.05)
        assert work.groups == []

    def test_whoever_was_announced_goes_along(self) -> None:
        work = Work()
        announcement = work.combiner.announce()
        self.about_to_lead(work)
        assert work.combiner.run(2, announcement) == 4
        work.end()
        assert (work.groups, work.outcomes) == ([[1, 2]], {1: 2})

    def test_whoever_was_withdrawn_is_waited_for_no_longer(self) -> None:
        work = Work()
        announcement, other = work.combiner.announce(), work.combiner.announce()
        self.about_to_lead(work)
        announcement.withdraw()
        announcement.withdraw()
        time.sleep(0.05)
        assert work.groups == []
        other.withdraw()
        work.end()
        assert (work.groups, work.outcomes) == ([[1]], {1: 2})

    def test_nobody_waits_for_oneself(self) -> None:
        work = Work()
        announcement = work.combiner.announce()
        assert work.combiner.run(1, announcement) == 2
        announcement.withdraw()
        assert work.combiner.run(2, announcement) == 4
        assert work.groups == [[1], [2]]

    def test_it_is_but_a_moment(self) -> None:
        work = Work(gather_s=0.05)
        announcement = work.combiner.announce()
        assert work.combiner.run(1) == 2
        assert work.combiner.run(2, announcement) == 4
        assert work.groups == [[1], [2]]

    def test_nobody_waits_for_who_has_been_on_the_way_for_long(self) -> None:
        work = Work(announced_s=0.01)
        slow = work.combiner.announce()
        time.sleep(0.02)
        assert work.combiner.run(1) == 2
        work.combiner.announce().withdraw()
        assert work.combiner.run(2) == 4
        slow.withdraw()
        assert work.groups == [[1], [2]]

    def test_who_has_been_on_the_way_for_long_holds_up_nobody_else_who_comes(self) -> None:
        work = Work(takeover_s=1, announced_s=0.3)
        slow = work.combiner.announce()
        time.sleep(0.35)
        fresh = work.combiner.announce()
        self.about_to_lead(work)
        assert work.combiner.run(2, fresh) == 4
        work.end()
        assert (work.groups, work.outcomes) == ([[1, 2]], {1: 2})
        slow.withdraw()

    def test_a_full_group_waits_for_nobody(self) -> None:
        work = Work(max_size=2)
        announcement, missing = work.combiner.announce(), work.combiner.announce()
        self.about_to_lead(work)
        assert work.combiner.run(2, announcement) == 4
        work.end()
        assert (work.groups, work.outcomes) == ([[1, 2]], {1: 2})
        missing.withdraw()

    def test_those_who_wait_take_over_from_a_leader_who_waits(self) -> None:
        work = Work(takeover_s=0.1, gather_s=0.5)
        announcement = work.combiner.announce()
        self.about_to_lead(work)
        work._start(2)
        until(lambda: work.outcomes == {1: 2, 2: 4})
        assert sorted(work.groups) == [[1], [2]]
        announcement.withdraw()


class TestManyThreads:
    @pytest.mark.parametrize("takeover_s", [LONG_S, 0.0005])
    @pytest.mark.parametrize("gather_s", [LONG_S, 0.0005])
    def test_each_task_is_carried_out_once_and_gets_its_own_outcome(
        self, takeover_s: float, gather_s: float
    ) -> None:
        seen: list[int] = []

        def carry_out(tasks: Sequence[int]) -> list[int | None]:
            seen.extend(tasks)
            time.sleep(0.001)
            return [2 * task for task in tasks]

        waits = Waits(takeover_s=takeover_s, gather_s=gather_s, announced_s=LONG_S)
        combiner: Combiner[int, int] = Combiner(carry_out, max_size=4, waits=waits)
        wrong: list[int] = []

        def bring(number: int) -> None:
            for task in range(number * 100, number * 100 + 60):
                announcement = combiner.announce() if task % 3 else None
                if announcement is not None and task % 5 == 0:
                    announcement.withdraw()
                if combiner.run(task, announcement) != 2 * task:
                    wrong.append(task)

        threads = [threading.Thread(target=bring, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert wrong == []
        assert not combiner._announced
        assert sorted(seen) == sorted(number * 100 + task for number in range(12) for task in range(60))
