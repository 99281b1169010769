"""Dry runs: the real work in a real transaction, rolled back; there is no second computation to keep equal.

Everything that a money POST does before its COMMIT is in the database or on the way there, so the rollback undoes all
of it: documents, postings, events, audit rows, what was counted against a limit. What rings after a COMMIT never rings.
The little that is kept outside the database asks ``is_running`` and only looks. Ids drawn from a sequence are not given
back, as after every rollback; nothing of ours takes them for a count.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

Result = TypeVar("Result")
Told = Callable[[Collection[UUID]], Any]
_running: ContextVar[bool] = ContextVar("dry_run_is_running", default=False)
_facts: dict[str, Told] = {}


def register_fact(name: str, tell: Told) -> None:
    """Add a member to every dry run's answer: ``tell`` reads it for some users before all is rolled back."""
    _facts[name] = tell


def is_running() -> bool:
    """Say whether the work at hand will be rolled back whatever it decides."""
    return _running.get()


def rehearse(work: Callable[[], Result], *, user_ids: Collection[UUID]) -> tuple[Result, dict[str, Any]]:
    """Run ``work``, look at what it did, undo it; return its result and the registered facts about some users.

    Raises whatever ``work`` raises, every refusal included; nothing is kept then either.
    """
    with _marked(), transaction.atomic():
        result = work()
        facts = {name: tell(user_ids) for name, tell in _facts.items()}
        transaction.set_rollback(True)
    return result, facts


@contextmanager
def _marked() -> Iterator[None]:
    token = _running.set(True)
    try:
        yield
    finally:
        _running.reset(token)
