"""Migrations that run ``.sql`` files: the statement in ``NAME.sql``, its way back in ``NAME.reverse.sql``."""

from pathlib import Path

from django.db import migrations


def sql_file(migration_file: str, name: str) -> migrations.RunSQL:
    """Return the operation that runs ``sql/NAME.sql`` beside the migration, reversible by ``NAME.reverse.sql``."""
    folder = Path(migration_file).resolve().parent / "sql"
    forward = (folder / f"{name}.sql").read_text(encoding="utf-8")
    backward = (folder / f"{name}.reverse.sql").read_text(encoding="utf-8")
    return migrations.RunSQL(sql=forward, reverse_sql=backward)
