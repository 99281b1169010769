from django.db import migrations, models

from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Hold refunds to what they refund, let staff give them, and find the holds that expire."""

    dependencies = [("transactions", "0012_bulk_transfers")]

    operations = [
        migrations.AlterModelOptions(
            name="transaction",
            options={
                "permissions": [
                    ("reverse_transaction", "Can book the mirror of a completed transaction"),
                    ("refund_transaction", "Can give a payer back a part of a completed transaction"),
                    ("book_shortfall", "Can book what a receiver cannot give back to receivables"),
                    ("switch_money_out", "Can stop outgoing money and resume it"),
                ]
            },
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(
                fields=["expires_at"],
                condition=models.Q(status="pending", expires_at__isnull=False),
                name="transaction_expiring_holds",
            ),
        ),
        sql_file(__file__, "undoing"),
    ]
