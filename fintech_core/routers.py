"""Which connection does what: migrations run as the owner, everything else as the application role."""

from typing import Any


class OwnerMigrates:
    """Allow migrations on the ``owner`` connection only; both connections lead to one database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Say whether a migration may run on this connection."""
        return db == "owner"

    def allow_relation(self, first: object, second: object, **hints: Any) -> bool | None:
        """Allow every relation: both aliases are one database."""
        return True
