from django.db import migrations, models

from fintech_core.privileges import AppendOnly


def not_negative(name: str) -> models.Q:
    return models.Q((f"{name}__isnull", True)) | models.Q((f"{name}__gte", 0))


class Migration(migrations.Migration):
    """Take changing limits and rates from the application role, as fees have it: a rule is a dated row for good."""

    dependencies = [("transactions", "0019_history_of_a_wallet")]

    operations = [
        AppendOnly("transactions_limitrule"),
        AppendOnly("transactions_exchangerate"),
        migrations.AddConstraint(
            model_name="limitrule",
            constraint=models.CheckConstraint(
                condition=not_negative("single")
                & not_negative("daily")
                & not_negative("monthly")
                & not_negative("max_balance"),
                name="limit_is_not_negative",
            ),
        ),
    ]
