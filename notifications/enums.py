"""Choices of this app."""

from django.db import models


class Category(models.TextChoices):
    """What an event is about; preferences are kept by category."""

    ACCOUNT = "account", "Account"
    SECURITY = "security", "Security"
    MONEY = "money", "Money movement"
    REWARDS = "rewards", "Rewards"
    SYSTEM = "system", "System"


class Channel(models.TextChoices):
    """How a person is told."""

    IN_APP = "in_app", "In the app"
    EMAIL = "email", "E-mail"


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands: ``pending`` until it is sent or given up."""

    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Given up"
