import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import fintech_core.fields


class Migration(migrations.Migration):
    """Keep the requests that send money to many people, with the result of every item."""

    dependencies = [
        ("transactions", "0011_metadata_index"),
        ("wallet", "0002_freeze_permission"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkTransfer",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                ("currency", models.CharField(max_length=3)),
                (
                    "mode",
                    models.CharField(
                        choices=[("all_or_nothing", "All or nothing"), ("best_effort", "Best effort")],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("processing", "Processing"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                        ],
                        default="processing",
                        max_length=10,
                    ),
                ),
                ("item_count", models.PositiveIntegerField()),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("tries", models.PositiveIntegerField(default=0, help_text="Of the chunk that is next")),
                (
                    "next_check_at",
                    models.DateTimeField(
                        help_text="When the sweep takes it up; null once it is final", null=True
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "sender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bulk_transfers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="wallet.wallet"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BulkTransferItem",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                ("index", models.PositiveIntegerField(help_text="Place in the request, from 0")),
                ("amount", fintech_core.fields.MoneyField()),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                ("reference", models.CharField(blank=True, default="", max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("completed", "Completed"), ("failed", "Failed")],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("failure_code", models.CharField(blank=True, default="", max_length=60)),
                ("failure_detail", models.CharField(blank=True, default="", max_length=200)),
                (
                    "bulk",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="transactions.bulktransfer",
                    ),
                ),
                (
                    "to_wallet",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.wallet",
                    ),
                ),
                (
                    "transaction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bulk_item",
                        to="transactions.transaction",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="bulktransfer",
            index=models.Index(
                condition=models.Q(("status", "processing")),
                fields=["next_check_at"],
                name="bulk_transfer_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulktransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("completed_at__isnull", True),
                        ("next_check_at__isnull", False),
                        ("status", "processing"),
                    ),
                    models.Q(
                        ("completed_at__isnull", False),
                        (
                            "item_count",
                            django.db.models.expressions.CombinedExpression(
                                models.F("succeeded"), "+", models.F("failed")
                            ),
                        ),
                        ("next_check_at__isnull", True),
                        ("status__in", ["completed", "failed"]),
                    ),
                    _connector="OR",
                ),
                name="bulk_transfer_is_final_with_its_items",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulktransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "failed"), _negated=True), ("succeeded", 0), _connector="OR"
                ),
                name="bulk_transfer_failed_moved_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulktransferitem",
            constraint=models.UniqueConstraint(fields=("bulk", "index"), name="bulk_item_once_per_index"),
        ),
        migrations.AddConstraint(
            model_name="bulktransferitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="bulk_item_amount_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulktransferitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("failure_code", ""), ("status", "completed"), ("transaction__isnull", False)),
                    models.Q(
                        ("status", "failed"),
                        ("transaction__isnull", True),
                        models.Q(("failure_code", ""), _negated=True),
                    ),
                    models.Q(("failure_code", ""), ("status", "pending"), ("transaction__isnull", True)),
                    _connector="OR",
                ),
                name="bulk_item_result_is_whole",
            ),
        ),
    ]
