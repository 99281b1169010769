import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import fintech_core.fields
from fintech_core.sqlfiles import sql_file


class Migration(migrations.Migration):
    """Keep what one member of staff asks for and another decides in one table, whatever it is."""

    dependencies = [
        ("fintech_core", "0003_encrypt_stored_answers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRequest",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("amount", fintech_core.fields.MoneyField()),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(max_length=500)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("requested_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                ("result_id", models.UUIDField(null=True, unique=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
            ],
            options={
                "indexes": [
                    models.Index(fields=["requested_at", "id"], name="approval_by_request"),
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["requested_at"],
                        name="approval_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="approval_amount_is_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by__isnull", True),
                            models.Q(("decided_by", models.F("requested_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="approval_needs_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True),
                                ("decided_by__isnull", True),
                                ("result_id__isnull", True),
                                ("status", "pending"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("result_id__isnull", True),
                                ("status", "rejected"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("result_id__isnull", False),
                                ("status", "approved"),
                            ),
                            _connector="OR",
                        ),
                        name="approval_is_decided_with_its_result",
                    ),
                ],
            },
        ),
        sql_file(__file__, "approval_triggers"),
    ]
