"""Staff never decide about themselves: one question for identity, account, PIN, wallet and money."""

from uuid import UUID

from fintech_core.audit import Actor
from users.errors import OwnCase


def forbid_own_case(*people: UUID | None, actor: Actor | None, detail: str) -> None:
    """Refuse an actor who is one of the people that a decision is about; nobody, the system, may decide any.

    Raises OwnCase with ``detail``, which says who decides instead.
    """
    if actor is not None and actor.pk in people:
        raise OwnCase(detail)
