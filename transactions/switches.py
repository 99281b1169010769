"""The money-out switch: one switch, asked in one place.

A staff member or a broken invariant turns it; reads and money coming in go on. Processes remember it for a few
seconds, so stopping takes effect within ``REMEMBERED_S``.
"""

import threading
import time

import structlog
from django.db import transaction
from waffle.models import Switch

from fintech_core import audit
from fintech_core.audit import Actor
from transactions.errors import MoneyOutPaused

log = structlog.get_logger(__name__)

MONEY_OUT_STOPPED = "money_out_stopped"
REMEMBERED_S = 5.0


class _Memory:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._read_at = float("-inf")

    def stopped(self) -> bool:
        with self._lock:
            if time.monotonic() - self._read_at > REMEMBERED_S:
                self._stopped = is_money_out_stopped()
                self._read_at = time.monotonic()
            return self._stopped

    def forget(self) -> None:
        with self._lock:
            self._read_at = float("-inf")


_memory = _Memory()


def require_money_out() -> None:
    """Raise MoneyOutPaused while outgoing money is stopped."""
    if _memory.stopped():
        raise MoneyOutPaused(
            "Outgoing payments are paused for a moment. Your money is safe.", retry_after_s=60
        )


def is_money_out_stopped() -> bool:
    """Say whether outgoing money is stopped, as the database has it now."""
    return Switch.objects.filter(name=MONEY_OUT_STOPPED, active=True).exists()


@transaction.atomic
def stop_money_out(*, actor: Actor | None, reason: str) -> None:
    """Stop outgoing money everywhere within seconds, and write down who did it and why."""
    switch, _created = Switch.objects.update_or_create(name=MONEY_OUT_STOPPED, defaults={"active": True})
    audit.record(actor=actor, action="money_out.stopped", target=switch, reason=reason)
    log.error("money_out_stopped", reason=reason)
    transaction.on_commit(_memory.forget)


@transaction.atomic
def resume_money_out(*, actor: Actor, reason: str) -> None:
    """Let money out again."""
    switch, _created = Switch.objects.update_or_create(name=MONEY_OUT_STOPPED, defaults={"active": False})
    audit.record(actor=actor, action="money_out.resumed", target=switch, reason=reason)
    transaction.on_commit(_memory.forget)


def forget() -> None:
    """Ask the database at the next question."""
    _memory.forget()
