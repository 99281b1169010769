"""A doorbell that a busy process may press for every commit: it rings at most once per interval.

A transfer must not pay for a message to the broker. So a press only makes sure that a ring is coming: one
timer thread, started at most once per interval, publishes the job. What is lost when the process dies first
is found by the sweep of beat.
"""

import os
import threading
import time

from fintech_core import jobs


class Bell:
    """Rings for one job, at most once per ``interval_s`` in this process, and once after the last press."""

    def __init__(self, job: str, *, interval_s: float) -> None:
        self._job = job
        self._interval_s = interval_s
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Forget a timer that did not come along into this process."""
        self._lock = threading.Lock()
        self._is_coming = False
        self._rang_at = float("-inf")

    def press(self) -> None:
        """Make sure that a ring follows; returns at once and touches no network."""
        with self._lock:
            if self._is_coming:
                return
            self._is_coming = True
            wait_s = max(0.0, self._rang_at + self._interval_s - time.monotonic())
        timer = threading.Timer(wait_s, self._ring)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread to be had: let the next press try again
            self._is_coming = False
            raise

    def _ring(self) -> None:
        with self._lock:
            self._is_coming = False
            self._rang_at = time.monotonic()
        jobs.ring(self._job)
