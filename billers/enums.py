"""Choices of this app, with the transitions that they allow."""

from collections.abc import Mapping
from typing import Final

from django.db import models


class Category(models.TextChoices):
    """What kind of thing is paid."""

    ELECTRICITY = "electricity", "Electricity"
    AIRTIME = "airtime", "Airtime"
    DATA = "data", "Data"
    TV = "tv", "TV"
    INTERNET = "internet", "Internet"


class AmountType(models.TextChoices):
    """Whether the product names its price or the customer does."""

    FIXED = "fixed", "Fixed"
    RANGE = "range", "Range"


class Subscription(models.TextChoices):
    """What a TV payment does: pay the present package on, or take another one."""

    RENEW = "renew", "Renew"
    CHANGE = "change", "Change"


class BillStatus(models.TextChoices):
    """Where a payment stands. ``processing`` holds the money, ``completed`` took it, ``failed`` gave it back.

    ``reversed`` took it, and staff have given all of it back since: by a reversal, or by refunds.
    """

    PROCESSING = "processing", "Processing"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    REVERSED = "reversed", "Reversed"


class AttemptState(models.TextChoices):
    """What is known about one order at a vendor, by our reference."""

    PLANNED = "planned", "Planned"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    DECLINED = "declined", "Declined"
    NOT_SENT = "not_sent", "Not sent"


# To each status, the statuses it may be reached from. A failed payment never becomes completed: what is delivered
# late is our loss, not a second debit.
BILL_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    BillStatus.COMPLETED: frozenset({BillStatus.PROCESSING}),
    BillStatus.FAILED: frozenset({BillStatus.PROCESSING}),
    BillStatus.REVERSED: frozenset({BillStatus.COMPLETED}),
}
