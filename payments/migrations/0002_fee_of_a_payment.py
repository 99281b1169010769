from decimal import Decimal

from django.db import migrations, models

import fintech_core.fields


class Migration(migrations.Migration):
    """Tell of each payment what of it is our fee; none had one before."""

    dependencies = [("payments", "0001_intents_and_inbox")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="fee",
            field=fintech_core.fields.MoneyField(
                db_default=Decimal(0), default=Decimal(0), help_text="What of it is our fee"
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="amount",
            field=fintech_core.fields.MoneyField(
                help_text="What is booked: never the gateway's fee that the payer bore on top"
            ),
        ),
        migrations.AlterField(
            model_name="paymentintent",
            name="credited",
            field=fintech_core.fields.MoneyField(
                default=Decimal(0), help_text="What the wallet got so far, over all payments"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("fee__gte", 0), ("fee__lt", models.F("amount"))),
                name="payment_is_more_than_its_fee",
            ),
        ),
    ]
