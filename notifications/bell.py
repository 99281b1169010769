"""A doorbell that a busy process may press for every commit: it rings at most once per interval.

A transfer must not pay for a message to the broker. So a press only makes sure that a ring is coming: one
thread, alive while there is something to ring for, publishes the job. What is lost when the process dies
first is found by the sweep of beat.
"""

import os
import threading
import time
from collections.abc import Callable

from fintech_core import jobs


class Bell:
    """Rings for one job, at most once per ``interval_s`` in this process, and once after the last press."""

    def __init__(self, job: str, *, interval_s: float, ring: Callable[[str], None] = jobs.ring) -> None:
        self._job = job
        self._publish = ring
        self._interval_s = interval_s
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start afresh: a thread does not come along into a forked process."""
        self._lock = threading.Lock()
        self._is_pressed = False
        self._is_answered = False
        self._rang_at = float("-inf")

    def press(self) -> None:
        """Make sure that a ring follows; returns at once and touches no network."""
        with self._lock:
            self._is_pressed = True
            if self._is_answered:
                return
            self._is_answered = True
            try:
                threading.Thread(target=self._answer, name=f"bell {self._job}", daemon=True).start()
            except RuntimeError:  # no thread to be had: let the next press try again
                self._is_answered = False
                raise

    def _answer(self) -> None:
        """Ring until nobody has pressed since the last ring."""
        while True:
            time.sleep(max(0.0, self._rang_at + self._interval_s - time.monotonic()))
            with self._lock:
                self._is_pressed = False
                self._rang_at = time.monotonic()
            self._publish(self._job)
            with self._lock:
                if not self._is_pressed:
                    self._is_answered = False
                    return
