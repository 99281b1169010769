from django.db import migrations, models

from fintech_core.privileges import AppendOnly
from fintech_core.sqlfiles import sql_file


def once(column: str, name: str) -> migrations.AddConstraint:
    """Give a number to one transaction alone; most have none, and cost nothing."""
    condition = models.Q((f"{column}__isnull", False))
    return migrations.AddConstraint(
        model_name="transaction",
        constraint=models.UniqueConstraint(fields=(column,), condition=condition, name=name),
    )


class Migration(migrations.Migration):
    """Number what has no entries, and keep the chain of seals."""

    dependencies = [("transactions", "0008_wallets_checked_in_bulk")]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="hold_number",
            field=models.BigIntegerField(editable=False, help_text="Place of the hold", null=True),
        ),
        migrations.AddField(
            model_name="transaction",
            name="end_number",
            field=models.BigIntegerField(
                editable=False, help_text="Place of its end without entries", null=True
            ),
        ),
        sql_file(__file__, "two_phase_numbers"),
        sql_file(__file__, "two_phase_backfill"),
        once("hold_number", "transaction_by_hold"),
        once("end_number", "transaction_by_end"),
        migrations.CreateModel(
            name="LedgerSeal",
            fields=[
                (
                    "number",
                    models.BigIntegerField(
                        help_text="1, 2, 3 … without a gap", primary_key=True, serialize=False
                    ),
                ),
                ("format", models.PositiveSmallIntegerField(help_text="How the canonical bytes are written")),
                ("after_entry", models.BigIntegerField()),
                ("through_entry", models.BigIntegerField()),
                ("after_hold", models.BigIntegerField()),
                ("through_hold", models.BigIntegerField()),
                ("entries", models.PositiveIntegerField()),
                ("holds", models.PositiveIntegerField(help_text="Holds made and ended in the range")),
                ("digest", models.CharField(max_length=64)),
                ("previous", models.CharField(max_length=64)),
                ("chain", models.CharField(max_length=64)),
                ("key_id", models.CharField(max_length=32)),
                ("mac", models.CharField(max_length=64)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("previous",), name="seal_chain_does_not_fork"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("number__gte", 1),
                            ("through_entry__gte", models.F("after_entry")),
                            ("through_hold__gte", models.F("after_hold")),
                        ),
                        name="seal_goes_on",
                    ),
                ],
            },
        ),
        sql_file(__file__, "seal_triggers"),
        AppendOnly("transactions_ledgerseal"),
    ]
