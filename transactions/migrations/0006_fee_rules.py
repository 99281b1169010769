from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import migrations, models

import fintech_core.fields
from fintech_core.privileges import AppendOnly


def seed(apps: Any, schema_editor: Any) -> None:
    """Add the sample of every enabled currency: transfers are free."""
    rules = apps.get_model("transactions", "FeeRule").objects.using(schema_editor.connection.alias)
    for currency in settings.CURRENCIES:
        rules.create(
            type="transfer",
            currency=currency,
            tier=None,
            flat=Decimal(0),
            basis_points=0,
            minimum=Decimal(0),
            cap=None,
            note="Sample, to be confirmed: transfers are free",
            saved_at=datetime(2025, 12, 31, tzinfo=UTC),
            effective_from=datetime(2026, 1, 1, tzinfo=UTC),
        )


class Migration(migrations.Migration):
    """Keep what movements cost as dated rows, none of which is ever changed."""

    dependencies = [("transactions", "0005_effective_time")]

    operations = [
        migrations.CreateModel(
            name="FeeRule",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("funding", "Funding"),
                            ("transfer", "Transfer"),
                            ("bill_payment", "Bill payment"),
                            ("cashback", "Cashback"),
                            ("cashback_redemption", "Cashback redemption"),
                            ("referral_bonus", "Referral bonus"),
                            ("withdrawal", "Withdrawal"),
                            ("refund", "Refund"),
                            ("reversal", "Reversal"),
                            ("conversion", "Conversion"),
                            ("adjustment", "Adjustment"),
                            ("fee", "Fee"),
                        ],
                        max_length=20,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                (
                    "tier",
                    models.PositiveSmallIntegerField(blank=True, help_text="Empty: every tier", null=True),
                ),
                ("flat", fintech_core.fields.MoneyField()),
                (
                    "basis_points",
                    models.PositiveIntegerField(help_text="Hundredths of a percent of the amount"),
                ),
                ("minimum", fintech_core.fields.MoneyField()),
                ("cap", fintech_core.fields.MoneyField(blank=True, help_text="Empty: no cap", null=True)),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("saved_at", models.DateTimeField()),
                ("effective_from", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["type", "currency", "tier", "effective_from"],
                        nulls_distinct=False,
                        name="fee_one_per_instant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            effective_from__gte=models.F("saved_at")
                            + models.Value("00:01:00", models.DurationField())
                        ),
                        name="fee_takes_effect_later",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(flat__gte=0, minimum__gte=0, basis_points__lte=10_000),
                        name="fee_is_not_negative_nor_more_than_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(cap__isnull=True) | models.Q(cap__gte=models.F("minimum")),
                        name="fee_cap_is_above_its_minimum",
                    ),
                ],
            },
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
        AppendOnly("transactions_feerule"),
    ]
