"""Documents behind a movement: described for people, and told alive or not, by the app that owns them.

A lower layer knows of a document only by kind and id. The app that owns a kind registers a describer in ``ready()``, as
it registers how a document answers a replay, and how to tell whether one is alive: whether somebody outside may yet
deliver what a hold promises.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order or checkout at a vendor; ``outcome`` is its last word, without secrets."""

    vendor: str
    reference: str
    state: str
    outcome: str
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A document for people: a title, facts by name, and what was tried at vendors, oldest first.

    Facts hold no secret and no personal number.
    """

    title: str
    facts: Mapping[str, str]
    attempts: tuple[Attempt, ...] = ()


Describer = Callable[[UUID], Document | None]
IsAlive = Callable[[UUID], bool]
_describers: dict[str, Describer] = {}
_live_checks: dict[str, IsAlive] = {}


def register_describer(kind: str, describe: Describer) -> None:
    """Say how documents of this kind are described; None stands for one that is not there."""
    _describers[kind] = describe


def describe(kind: str, document_id: UUID) -> Document | None:
    """Describe a document; None when nobody knows its kind, or there is none of this id."""
    describer = _describers.get(kind)
    return None if describer is None else describer(document_id)


def register_live_check(kind: str, is_alive: IsAlive) -> None:
    """Say how to tell whether a document of this kind is alive."""
    _live_checks[kind] = is_alive


def may_be_alive(kind: str, document_id: UUID | None) -> bool:
    """Say whether a document may still be alive: one that nobody can tell about may, and no document never is."""
    if document_id is None:
        return False
    check = _live_checks.get(kind)
    return check is None or check(document_id)
