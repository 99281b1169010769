from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

ORDINARY = ("transfer", "funding", "bill_payment", "withdrawal", "cashback")


class Migration(migrations.Migration):
    """Find reversals, refunds, corrections and conversions by their type, at no cost to ordinary movements.

    Each rule about them read all movements, and so did a list of them for staff. A run that breaks off leaves an index
    that is not valid; the next one begins by dropping it.
    """

    atomic = False
    dependencies = [("transactions", "0023_parked_credits_stay")]

    operations = [
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS transaction_out_of_ordinary", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(
                condition=models.Q(("type__in", ORDINARY), _negated=True)
                | models.Q(("effective_at__isnull", False))
                | models.Q(("reverses__isnull", False))
                | models.Q(("refund_of__isnull", False)),
                fields=["type", "id"],
                name="transaction_out_of_ordinary",
            ),
        ),
    ]
