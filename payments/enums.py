"""Choices of funding and of the inbox, with the transitions they allow."""

from django.db import models


class IntentStatus(models.TextChoices):
    """How far a funding has come. Only ``succeeded`` is final: late money is credited whatever we said before."""

    PENDING = "pending", "Pending"
    PROCESSING = "processing", "Processing"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


OPEN_INTENTS = frozenset({IntentStatus.PENDING, IntentStatus.PROCESSING})
NOT_SUCCEEDED = frozenset(IntentStatus) - {IntentStatus.SUCCEEDED}

# Each status, and where it may be reached from.
INTENT_SOURCES: dict[str, frozenset[str]] = {
    IntentStatus.PROCESSING: frozenset(NOT_SUCCEEDED - {IntentStatus.PROCESSING}),
    IntentStatus.SUCCEEDED: frozenset(NOT_SUCCEEDED),
    IntentStatus.FAILED: frozenset(OPEN_INTENTS),
    IntentStatus.EXPIRED: frozenset(OPEN_INTENTS),
    IntentStatus.CANCELLED: frozenset(OPEN_INTENTS),
}


class AttemptStatus(models.TextChoices):
    """How one checkout at a gateway stands.

    ``sent`` means that the gateway may know it; ``lost`` that it does, but its link never reached us. ``failed`` is
    the gateway's word about the last try of the customer; a later success still counts.
    """

    CREATED = "created", "Created"
    SENT = "sent", "Sent"
    OPEN = "open", "Open"
    LOST = "lost", "Link lost"
    DECLINED = "declined", "Not started"
    FAILED = "failed", "Failed"
    SUCCEEDED = "succeeded", "Succeeded"
    REVERSED = "reversed", "Reversed"


# The gateway is asked about these until the ladder ends.
WATCHED_ATTEMPTS = frozenset({AttemptStatus.SENT, AttemptStatus.OPEN, AttemptStatus.LOST})
ATTEMPT_SOURCES: dict[str, frozenset[str]] = {
    AttemptStatus.SENT: frozenset({AttemptStatus.CREATED}),
    AttemptStatus.CREATED: frozenset({AttemptStatus.SENT}),
    AttemptStatus.OPEN: frozenset({AttemptStatus.SENT}),
    AttemptStatus.LOST: frozenset({AttemptStatus.SENT}),
    AttemptStatus.DECLINED: frozenset({AttemptStatus.SENT}),
    AttemptStatus.FAILED: frozenset(WATCHED_ATTEMPTS),
    AttemptStatus.SUCCEEDED: frozenset(AttemptStatus) - {AttemptStatus.SUCCEEDED, AttemptStatus.REVERSED},
    AttemptStatus.REVERSED: frozenset(AttemptStatus) - {AttemptStatus.REVERSED},
}


class PaymentState(models.TextChoices):
    """Where a gateway's payment was booked: to its owner, to ``suspense``, or nowhere until staff decide."""

    CREDITED = "credited", "Credited"
    SUSPENSE = "suspense", "In suspense"
    REVIEW = "review", "Not booked, for review"


class WebhookStatus(models.TextChoices):
    """What became of a stored webhook. ``dead`` waits for a person; the others need nobody."""

    RECEIVED = "received", "Received"
    DEFERRED = "deferred", "Deferred"
    PROCESSED = "processed", "Processed"
    IGNORED = "ignored", "Ignored"
    DEAD = "dead", "Dead"


UNFINISHED_WEBHOOKS = frozenset({WebhookStatus.RECEIVED, WebhookStatus.DEFERRED})
WEBHOOK_SOURCES: dict[str, frozenset[str]] = {
    WebhookStatus.RECEIVED: frozenset({WebhookStatus.DEAD}),
    WebhookStatus.DEFERRED: frozenset(UNFINISHED_WEBHOOKS),
    WebhookStatus.PROCESSED: frozenset(UNFINISHED_WEBHOOKS),
    WebhookStatus.IGNORED: frozenset(UNFINISHED_WEBHOOKS),
    WebhookStatus.DEAD: frozenset(UNFINISHED_WEBHOOKS),
}


class Trust(models.TextChoices):
    """What vouches for a webhook: a signature over its bytes, or only a token in its address."""

    SIGNED = "signed", "Signed"
    HINT = "hint", "Unsigned hint"
