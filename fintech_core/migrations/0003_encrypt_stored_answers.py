"""Stored answers are encrypted like the columns that they repeat: a bill's answer holds the token that was bought."""

from typing import Any

from django.db import migrations

import fintech_core.fields

BATCH = 1_000


def encrypt(apps: Any, schema_editor: Any) -> None:
    """Encrypt what was stored in clear."""
    _move(apps, schema_editor, "clear_body", "response_body")


def decrypt(apps: Any, schema_editor: Any) -> None:
    """Store in clear again what was encrypted."""
    _move(apps, schema_editor, "response_body", "clear_body")


def _move(apps: Any, schema_editor: Any, source: str, target: str) -> None:
    """Over the connection that holds the table: another one would wait for it."""
    table = apps.get_model("fintech_core", "IdempotencyRecord").objects
    records = table.using(schema_editor.connection.alias)
    for record in records.exclude(response_status=None).iterator(chunk_size=BATCH):
        if answer := getattr(record, source):
            setattr(record, target, str(answer))
            record.save(using=schema_editor.connection.alias, update_fields=[target])


class Migration(migrations.Migration):
    dependencies = [("fintech_core", "0002_privileges_and_audit")]

    operations = [
        migrations.RenameField("idempotencyrecord", "response_body", "clear_body"),
        migrations.AddField(
            "idempotencyrecord", "response_body", fintech_core.fields.EncryptedTextField(null=True)
        ),
        migrations.RunPython(encrypt, decrypt),
        migrations.RemoveField("idempotencyrecord", "clear_body"),
    ]
