"""Money in: what a customer wants to pay, each checkout for it, what a gateway really received, and the inbox.

A ``PaymentIntent`` is a business document and its own queue. It is born together with its first ``CheckoutAttempt``,
so our reference is committed before a gateway hears of it. A worker claims the intent with a lease, commits, and
calls with no transaction open. Starting a checkout moves no money, therefore a lost link is answered by another
attempt under another reference, and every attempt that a gateway may know stays watched.

A ``Payment`` is the gateway's payment, unique by its id there: the source of one ledger transaction. Two payments on
one intent are two credits; one payment told by a webhook, a poll and the customer's own question is one.

A ``WebhookEvent`` is stored before anybody acts on it, unique per vendor by a key that its adapter builds. Its body
may hold personal data and reusable card authorisations, so it is kept encrypted.
"""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.attempts import DueWork
from fintech_core.fields import EncryptedTextField, MoneyField, UuidKey
from payments.enums import (
    OPEN_INTENTS,
    UNFINISHED_WEBHOOKS,
    AttemptStatus,
    IntentStatus,
    PaymentState,
    Trust,
    WebhookStatus,
)


class PaymentIntent(DueWork):
    """A customer's wish to put ``amount`` into a wallet through a gateway; ``fee`` is asked for on top."""

    id = UuidKey()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payment_intents"
    )
    wallet = models.ForeignKey("wallet.Wallet", on_delete=models.PROTECT, related_name="+", db_index=False)
    reference = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=IntentStatus, default=IntentStatus.PENDING)
    gateway = models.CharField(max_length=20)
    amount = MoneyField(help_text="What the wallet gets, in major units")
    currency = models.CharField(max_length=3)
    fee = MoneyField(default=Decimal(0))
    credited = MoneyField(default=Decimal(0), help_text="What the wallet got so far, over all payments")
    callback_url = models.CharField(max_length=500, blank=True, default="")
    checkout_url = models.CharField(max_length=500, blank=True, default="")
    failure_code = models.CharField(max_length=60, blank=True, default="")
    transaction = models.OneToOneField(
        "transactions.Transaction", null=True, on_delete=models.PROTECT, related_name="+"
    )
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(fee__gte=0) & Q(credited__gte=0),
                name="intent_amount_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(status__in=IntentStatus.values), name="intent_status_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=IntentStatus.SUCCEEDED)
                | Q(transaction__isnull=False, succeeded_at__isnull=False, credited__gt=0),
                name="intent_succeeded_with_money",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "created_at", "id"], name="intent_by_user"),
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="intent_due"
            ),
            models.Index(
                fields=["expires_at"], condition=Q(status__in=sorted(OPEN_INTENTS)), name="intent_to_expire"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class CheckoutAttempt(models.Model):
    """One checkout at a gateway under one reference of ours, which never changes."""

    id = UuidKey()
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    gateway = models.CharField(max_length=20)
    reference = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=AttemptStatus, default=AttemptStatus.CREATED)
    link = models.CharField(max_length=500, blank=True, default="")
    outcome = models.CharField(max_length=60, blank=True, default="", help_text="The gateway's last word")
    evidence = models.JSONField(default=dict, help_text="What the gateway said, redacted")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="attempt_reference_is_unique"),
            models.UniqueConstraint(fields=["intent", "number"], name="attempt_number_is_unique"),
            models.CheckConstraint(
                condition=Q(status__in=AttemptStatus.values), name="attempt_status_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=AttemptStatus.OPEN) | ~Q(link=""), name="attempt_open_has_a_link"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Payment(models.Model):
    """What a gateway received: one row per payment of theirs, booked at most once."""

    id = UuidKey()
    gateway = models.CharField(max_length=20)
    vendor_payment_id = models.CharField(max_length=64)
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="payments")
    attempt = models.ForeignKey(CheckoutAttempt, on_delete=models.PROTECT, related_name="payments")
    state = models.CharField(max_length=10, choices=PaymentState)
    amount = MoneyField(help_text="What is booked: never the gateway's fee that the payer bore on top")
    fee = MoneyField(default=Decimal(0), db_default=Decimal(0), help_text="What of it is our fee")
    charged = MoneyField(help_text="What the payer was charged")
    currency = models.CharField(max_length=3)
    paid_at = models.DateTimeField(null=True, help_text="The gateway's time: evidence, it orders nothing")
    transaction = models.OneToOneField(
        "transactions.Transaction", null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "vendor_payment_id"], name="payment_once_per_vendor"),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & Q(charged__gt=0), name="payment_amount_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(fee__gte=0) & Q(fee__lt=F("amount")), name="payment_is_more_than_its_fee"
            ),
            models.CheckConstraint(
                condition=Q(state=PaymentState.REVIEW, transaction__isnull=True)
                | Q(state__in=[PaymentState.CREDITED, PaymentState.SUSPENSE], transaction__isnull=False),
                name="payment_is_booked_or_in_review",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.vendor_payment_id}"

    @property
    def landed(self) -> Decimal:
        """What the customer gets of it, in major units."""
        return self.amount - self.fee


class WebhookEvent(DueWork):
    """A vendor's webhook as it came. A hint to ask the vendor, never the truth."""

    id = UuidKey()
    vendor = models.CharField(max_length=20)
    family = models.CharField(max_length=40)
    type = models.CharField(max_length=80)
    subject = models.CharField(
        max_length=120, blank=True, default="", help_text="Our reference, if it names one"
    )
    dedupe_key = models.CharField(max_length=200)
    body = EncryptedTextField()
    body_sha256 = models.CharField(max_length=64)
    headers = models.JSONField(default=dict, help_text="A few that help, none that authenticates")
    trust = models.CharField(max_length=10, choices=Trust)
    status = models.CharField(max_length=10, choices=WebhookStatus, default=WebhookStatus.RECEIVED)
    outcome = models.CharField(max_length=60, blank=True, default="")
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        permissions: ClassVar = [("replay_webhookevent", "Can have a dead webhook looked at again")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor", "dedupe_key"], name="webhook_once_per_event"),
            models.CheckConstraint(
                condition=Q(status__in=WebhookStatus.values), name="webhook_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(UNFINISHED_WEBHOOKS), finished_at__isnull=True)
                | (~Q(status__in=sorted(UNFINISHED_WEBHOOKS)) & Q(finished_at__isnull=False)),
                name="webhook_finished_has_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="webhook_due"
            ),
            models.Index(fields=["received_at"], name="webhook_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.type}"
