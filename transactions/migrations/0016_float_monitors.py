import django.db.models.deletion
from django.db import migrations, models

import fintech_core.fields


class Migration(migrations.Migration):
    """Let staff watch floats."""

    dependencies = [("transactions", "0015_exchange")]

    operations = [
        migrations.CreateModel(
            name="FloatMonitor",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                (
                    "floor",
                    fintech_core.fields.MoneyField(
                        blank=True, help_text="Told when there is less. Empty: no floor", null=True
                    ),
                ),
                (
                    "ceiling",
                    fintech_core.fields.MoneyField(
                        blank=True, help_text="Told when there is more. Empty: no ceiling", null=True
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                ("note", models.CharField(help_text="Why, for the audit log", max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("within", "Within its bounds"),
                            ("below", "Below its floor"),
                            ("above", "Above its ceiling"),
                        ],
                        default="within",
                        editable=False,
                        max_length=10,
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(editable=False, help_text="When it last crossed a bound", null=True),
                ),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="float_monitor",
                        to="transactions.ledgeraccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("floor__isnull", False), ("ceiling__isnull", False), _connector="OR"
                        ),
                        name="monitor_has_a_bound",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("floor__isnull", True),
                            ("ceiling__isnull", True),
                            ("floor__lt", models.F("ceiling")),
                            _connector="OR",
                        ),
                        name="monitor_floor_is_below_its_ceiling",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["within", "below", "above"])),
                        name="monitor_state_is_known",
                    ),
                ],
            },
        ),
    ]
