import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import fintech_core.fields
from fintech_core.privileges import AppendOnly
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Let staff correct wallets, also back in time, but never in a month that is closed."""

    dependencies = [
        ("transactions", "0009_ledger_seals"),
        ("wallet", "0002_freeze_permission"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                (
                    "direction",
                    models.CharField(choices=[("debit", "Debit"), ("credit", "Credit")], max_length=6),
                ),
                ("amount", fintech_core.fields.MoneyField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "effective_at",
                    models.DateTimeField(help_text="Only when it counts from an earlier time", null=True),
                ),
                ("reason", models.CharField(max_length=500)),
                (
                    "status",
                    models.CharField(
                        choices=[("requested", "Requested"), ("booked", "Booked"), ("rejected", "Rejected")],
                        default="requested",
                        max_length=10,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="wallet.wallet",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("requested_at", models.DateTimeField()),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "transaction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustment",
                        to="transactions.transaction",
                    ),
                ),
            ],
            options={
                "permissions": [("decide_adjustment", "Can book or reject a correction of somebody else")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "requested")),
                        fields=["requested_at"],
                        name="adjustment_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="adjustment_amount_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("direction__in", ["debit", "credit"])),
                        name="adjustment_direction_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(("decided_by", models.F("requested_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="adjustment_needs_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True),
                                ("decided_by__isnull", True),
                                ("status", "requested"),
                                ("transaction__isnull", True),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("status", "rejected"),
                                ("transaction__isnull", True),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("status", "booked"),
                                ("transaction__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="adjustment_is_booked_with_its_transaction",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ClosedMonth",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.DateField(help_text="Its first day", unique=True)),
                ("reason", models.CharField(max_length=500)),
                (
                    "closed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="closed_month_is_a_first_day"
                    )
                ],
            },
        ),
        sql_file(__file__, "closed_months"),
        AppendOnly("transactions_closedmonth"),
    ]
