"""What the application role may do, as migration operations.

Migrations run as the owner; the application role is the user of ``DATABASE_URL``. Where both are one role nothing is
granted or revoked, and the detailed health report says so.
"""

from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def application_role(schema_editor: BaseDatabaseSchemaEditor) -> str | None:
    """Return the quoted application role, or None where it is the role that migrates."""
    role = str(settings.DATABASES["default"].get("USER") or "")
    owner = str(schema_editor.connection.settings_dict.get("USER") or "")
    return schema_editor.quote_name(role) if role and role != owner else None


def grant_defaults(_apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let the application role read and write every table the owner makes from here on, and those it made before."""
    role = application_role(schema_editor)
    if role is None:
        return
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    ):
        schema_editor.execute(statement)


class AppendOnly(migrations.RunPython):
    """Take UPDATE, DELETE and TRUNCATE of a table from the application role; reversible."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(self._revoke, self._grant)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Describe the operation for the migration writer."""
        return self.__class__.__qualname__, [self.table], {}

    def _revoke(self, _apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if role := application_role(schema_editor):
            table = schema_editor.quote_name(self.table)
            schema_editor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}")

    def _grant(self, _apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if role := application_role(schema_editor):
            table = schema_editor.quote_name(self.table)
            schema_editor.execute(f"GRANT UPDATE, DELETE ON {table} TO {role}")
