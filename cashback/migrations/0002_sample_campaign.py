"""A campaign to begin with: one percent back on electricity. A sample, to be paused or ended by staff."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import migrations

CODE = "electricity-1-percent"


def add_campaign(apps: Any, schema_editor: Any) -> None:
    """Write the sample campaign, running."""
    apps.get_model("cashback", "Campaign").objects.create(
        code=CODE,
        name="1 % back on electricity",
        status="running",
        currency="NGN",
        percent_bp=100,
        cap=Decimal(500),
        min_payment=Decimal(0),
        budget=Decimal(10_000_000),
        category="electricity",
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        terms="1 % of every electricity bill, at most NGN 500.00 for each payment, while the budget lasts.",
    )


def remove_campaign(apps: Any, schema_editor: Any) -> None:
    """Take the sample out again; the database refuses when it has given rewards."""
    apps.get_model("cashback", "Campaign").objects.filter(code=CODE).delete()


class Migration(migrations.Migration):
    dependencies = [("cashback", "0001_campaigns")]

    operations = [migrations.RunPython(add_campaign, remove_campaign)]
