from django.db import migrations

from fintech_core.privileges import AppendOnly, grant_defaults
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Grant the application role its tables, and make the audit log append-only for everybody."""

    dependencies = [("fintech_core", "0001_ground_floor")]

    operations = [
        migrations.RunPython(grant_defaults, migrations.RunPython.noop),
        sql_file(__file__, "audit_append_only"),
        AppendOnly("fintech_core_auditrecord"),
    ]
