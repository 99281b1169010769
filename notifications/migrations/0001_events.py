"""Events, and what people are told about them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import fintech_core.fields
import fintech_core.ids

CATEGORIES = [
    ("account", "Account"),
    ("security", "Security"),
    ("money", "Money movement"),
    ("rewards", "Rewards"),
    ("system", "System"),
]
CHANNELS = [("in_app", "In the app"), ("email", "E-mail")]
DELIVERY_STATUSES = [("pending", "Pending"), ("sent", "Sent"), ("failed", "Given up")]


def user_reference(**options: bool) -> models.ForeignKey:
    """Reference a user by id alone: no constraint, no index, no cascade."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=django.db.models.deletion.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        **options,
    )


class Migration(migrations.Migration):
    """Create the outbox, the inbox and the deliveries."""

    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("public_id", models.UUIDField(default=fintech_core.ids.uuid7, editable=False)),
                ("type", models.CharField(max_length=60)),
                ("user", user_reference(null=True)),
                ("payload", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("relayed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["id"],
                        condition=Q(relayed_at__isnull=True, parked_at__isnull=True),
                        name="event_to_relay",
                    ),
                    models.Index(fields=["id"], condition=Q(parked_at__isnull=False), name="event_parked"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(relayed_at__isnull=True) | Q(parked_at__isnull=True),
                        name="event_is_relayed_or_parked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                (
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="notifications.event",
                    ),
                ),
                ("user", user_reference()),
                ("type", models.CharField(max_length=60)),
                ("category", models.CharField(choices=CATEGORIES, max_length=20)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("data", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-created_at", "-id"], name="message_inbox"),
                    models.Index(fields=["user"], condition=Q(read_at__isnull=True), name="message_unread"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["event", "user"], name="message_once_per_event_and_user"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", fintech_core.fields.UuidKey(serialize=False)),
                (
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="notifications.event",
                    ),
                ),
                ("user", user_reference(null=True)),
                ("channel", models.CharField(choices=CHANNELS, max_length=10)),
                ("recipient", models.CharField(max_length=254)),
                ("subject", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("status", models.CharField(choices=DELIVERY_STATUSES, default="pending", max_length=10)),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(fields=["due_at"], condition=Q(status="pending"), name="delivery_to_send"),
                    models.Index(fields=["recipient", "-created_at", "-id"], name="delivery_by_recipient"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["event", "channel", "recipient"], name="delivery_once_per_event_and_address"
                    ),
                    models.CheckConstraint(
                        condition=Q(channel__in=["in_app", "email"]), name="delivery_channel_is_known"
                    ),
                    models.CheckConstraint(
                        condition=Q(status__in=["pending", "sent", "failed"]), name="delivery_status_is_known"
                    ),
                    models.CheckConstraint(
                        condition=Q(status="sent", sent_at__isnull=False)
                        | (~Q(status="sent") & Q(sent_at__isnull=True)),
                        name="delivery_sent_has_a_time",
                    ),
                ],
            },
        ),
    ]
