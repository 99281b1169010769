import django.db.models.deletion
from django.db import migrations, models

import fintech_core.fields
from fintech_core.privileges import AppendOnly
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Keep what accounts had after an entry, append-only for everybody."""

    dependencies = [("transactions", "0006_fee_rules")]

    operations = [
        migrations.CreateModel(
            name="BalanceSnapshot",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "last_entry_id",
                    models.BigIntegerField(help_text="All entries of the account up to this id are counted"),
                ),
                ("balance", fintech_core.fields.MoneyField()),
                ("currency", models.CharField(max_length=3)),
                ("taken_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="snapshots",
                        to="transactions.ledgeraccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "last_entry_id"), name="snapshot_once_per_entry"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_entry_id__gte", 1)), name="snapshot_counts_entries"
                    ),
                ],
            },
        ),
        sql_file(__file__, "snapshot_triggers"),
        AppendOnly("transactions_balancesnapshot"),
    ]
