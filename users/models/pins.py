"""The transaction PIN."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

MAX_WRONG_PINS = 5


class TransactionPin(models.Model):
    """A keyed hash of the PIN, and how often it was missed. Locked exactly when the misses are used up."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="transaction_pin"
    )
    digest = models.BinaryField(max_length=32)
    pepper_version = models.PositiveSmallIntegerField()
    failed_attempts = models.PositiveSmallIntegerField(default=0)
    locked_at = models.DateTimeField(null=True, blank=True)
    set_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [("reset_pin", "Can reset a customer's transaction PIN")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(failed_attempts__lt=MAX_WRONG_PINS, locked_at__isnull=True)
                | Q(failed_attempts=MAX_WRONG_PINS, locked_at__isnull=False),
                name="pin_is_locked_at_the_limit",
            )
        ]

    def __str__(self) -> str:
        return f"PIN of {self.user_id}"
