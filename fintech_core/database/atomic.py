"""What must run inside the caller's transaction says so."""

from django.db import connection


class NotInTransaction(RuntimeError):
    """Something that must be part of the caller's transaction was called without one: a bug."""


def require_transaction(what: str) -> None:
    """Refuse to go on outside a transaction; ``what`` names the caller in the error."""
    if not connection.in_atomic_block:
        raise NotInTransaction(f"{what} must run inside the transaction of the change it belongs to")
