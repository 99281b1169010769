from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import migrations

# Samples in NGN (daily, maximum balance), after the tiers that Nigerian mobile money uses; confirm before going live.
NAIRA = {
    0: (Decimal(0), Decimal(50_000)),
    1: (Decimal(50_000), Decimal(300_000)),
    2: (Decimal(200_000), Decimal(500_000)),
    3: (Decimal(5_000_000), None),
}
# How many naira one unit stands for in the samples of other currencies; no rate of exchange.
SAMPLE_UNIT = {
    "NGN": 1,
    "USD": 1_000,
    "GHS": 100,
    "KES": 10,
    "JPY": 10,
    "KWD": 1_000,
    "EUR": 1_000,
    "GBP": 1_000,
}


def seed(apps: Any, schema_editor: Any) -> None:
    """Add the sample limits of every enabled currency."""
    rules = apps.get_model("transactions", "LimitRule").objects.using(schema_editor.connection.alias)
    for currency in settings.CURRENCIES:
        unit = SAMPLE_UNIT.get(currency, 1_000)
        for tier, (daily, balance) in NAIRA.items():
            rules.create(
                tier=tier,
                currency=currency,
                single=daily / unit,
                daily=daily / unit,
                monthly=daily * 30 / unit,
                max_balance=None if balance is None else balance / unit,
                note="Sample, to be confirmed",
                saved_at=datetime(2025, 12, 31, tzinfo=UTC),
                effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            )


class Migration(migrations.Migration):
    """Seed the tiers' limits as samples."""

    dependencies = [("transactions", "0002_triggers_and_chart")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
