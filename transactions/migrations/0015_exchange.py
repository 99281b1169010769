from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import fintech_core.fields

# Samples: naira for one unit, to be confirmed before going live. A currency that is not here has no rate yet.
NAIRA = {
    "USD": Decimal("1550"),
    "EUR": Decimal("1700"),
    "GBP": Decimal("2000"),
    "GHS": Decimal("140"),
    "KES": Decimal("12"),
    "JPY": Decimal("10.5"),
    "KWD": Decimal("5050"),
}
SPREAD = 150


def seed(apps: Any, schema_editor: Any) -> None:
    """Add a sample rate of every enabled currency that has one."""
    rates = apps.get_model("transactions", "ExchangeRate").objects.using(schema_editor.connection.alias)
    for currency in settings.CURRENCIES:
        if currency in NAIRA and currency != settings.DEFAULT_CURRENCY:
            rates.create(
                currency=currency,
                mid=NAIRA[currency],
                spread_basis_points=SPREAD,
                note="Sample, to be confirmed",
                saved_at=datetime(2025, 12, 31, tzinfo=UTC),
                effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            )


class Migration(migrations.Migration):
    """Keep rates of exchange and the quotes given by them; seed the rates as samples."""

    dependencies = [
        ("transactions", "0014_verification_marks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                ("currency", models.CharField(max_length=3)),
                (
                    "mid",
                    models.DecimalField(
                        decimal_places=8,
                        help_text="Units of the default currency for one unit of this one",
                        max_digits=19,
                    ),
                ),
                (
                    "spread_basis_points",
                    models.PositiveIntegerField(
                        help_text="Hundredths of a percent that a customer gets less, whichever way"
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("saved_at", models.DateTimeField()),
                ("effective_from", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("currency", "effective_from"), name="rate_one_per_instant"
                    ),
                    models.CheckConstraint(condition=models.Q(("mid__gt", 0)), name="rate_is_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("spread_basis_points__lt", 5000)),
                        name="rate_spread_leaves_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("effective_from__gte", models.F("saved_at"))),
                        name="rate_is_not_dated_back",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConversionQuote",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                ("from_currency", models.CharField(max_length=3)),
                ("to_currency", models.CharField(max_length=3)),
                ("amount", fintech_core.fields.MoneyField()),
                ("fee", fintech_core.fields.MoneyField()),
                ("amount_to", fintech_core.fields.MoneyField()),
                ("rate", models.DecimalField(decimal_places=8, max_digits=19)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "transaction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversion_quote",
                        to="transactions.transaction",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount__gt", 0), ("amount_to__gt", 0), ("fee__gte", 0), ("rate__gt", 0)
                        ),
                        name="quote_amounts_are_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_currency", models.F("to_currency")), _negated=True),
                        name="quote_is_of_two_currencies",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="quote_holds_for_a_while",
                    ),
                ],
            },
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
