"""Bills: the catalogue, quotes, and payments with their attempts at a vendor.

A ``BillPayment`` is a business document and its own queue. It is born in the transaction that holds the money (T1)
and is due at once. A worker claims it with a lease, commits, calls the vendor with no transaction open, and settles
in a second transaction (T2): captured and ``completed``, voided and ``failed``, or ``processing`` on and due again.

A ``BillAttempt`` is one order at a vendor under one reference of ours. The reference is committed before anybody
outside sees it and never changes: whoever finds an attempt that was sent asks about it before anything else. A new
attempt begins only after a definite answer that the last one had no effect.

What the database holds: only ``processing`` rows are due, a final payment has its time, a reference exists once per
vendor, and of a payment's attempts at most one is open.
"""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from billers.enums import AmountType, AttemptState, BillStatus, Category, Subscription
from fintech_core.attempts import DueWork
from fintech_core.fields import EncryptedTextField, MoneyField, UuidKey


class Biller(models.Model):
    """A company that is paid through us."""

    id = UuidKey()
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    category = models.CharField(max_length=20, choices=Category)
    is_active = models.BooleanField(default=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "id"], name="biller_by_name")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(category__in=Category.values), name="biller_category_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """One thing a biller sells. Amounts are in major units of ``currency``."""

    id = UuidKey()
    biller = models.ForeignKey(Biller, on_delete=models.PROTECT, related_name="products")
    code = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3, default="NGN")
    amount_type = models.CharField(max_length=10, choices=AmountType)
    amount = MoneyField(null=True, blank=True, help_text="The price of a fixed product")
    min_amount = MoneyField(null=True, blank=True)
    max_amount = MoneyField(null=True, blank=True)
    fee = MoneyField(default=Decimal(0), help_text="What we charge on top")
    customer_id_label = models.CharField(max_length=60)
    verifies_customer = models.BooleanField(
        default=False, help_text="The vendor can be asked who the customer is"
    )
    delivers_token = models.BooleanField(default=False, help_text="Without a token it is not delivered")
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["biller", "code"], name="product_code_is_unique_per_biller"),
            models.CheckConstraint(
                condition=Q(amount_type=AmountType.FIXED, amount__gt=0, amount__isnull=False)
                | Q(
                    amount_type=AmountType.RANGE,
                    amount__isnull=True,
                    min_amount__gt=0,
                    max_amount__gte=F("min_amount"),
                ),
                name="product_has_a_price_or_a_range",
            ),
            models.CheckConstraint(condition=Q(fee__gte=0), name="product_fee_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name


class ProductRoute(models.Model):
    """Under which name a vendor sells a product; the lowest ``priority`` is used."""

    id = UuidKey()
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="routes")
    vendor = models.CharField(max_length=20)
    service_id = models.CharField(max_length=60)
    variation_code = models.CharField(max_length=60, blank=True, default="")
    priority = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "vendor"], name="route_once_per_vendor"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.service_id} {self.variation_code}".strip()


class Quote(models.Model):
    """What a customer was told before paying: bound to customer, product and amount, good until it expires."""

    id = UuidKey()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bill_quotes")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="quotes")
    customer_id = models.CharField(max_length=64)
    customer_name = models.CharField(max_length=120, blank=True, default="")
    address = models.CharField(max_length=200, blank=True, default="")
    amount = MoneyField(null=True, blank=True)
    min_amount = MoneyField(null=True, blank=True)
    max_amount = MoneyField(null=True, blank=True)
    fee = MoneyField()
    cashback = MoneyField()
    currency = models.CharField(max_length=3)
    current_product = models.CharField(max_length=120, blank=True, default="")
    renewal_amount = MoneyField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="quote_by_user")]

    def __str__(self) -> str:
        return f"quote {self.pk}"


class BillPayment(DueWork):
    """One payment of a bill. Amounts are in major units of ``currency``; ``amount`` is without ``fee``.

    ``sends`` counts how often an order left or may have left; ``unfinished`` counts claims that ended without an
    outcome, so that a row which kills its worker is noticed.
    """

    id = UuidKey()
    reference = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bill_payments")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="payments")
    quote = models.ForeignKey(Quote, null=True, blank=True, on_delete=models.PROTECT, related_name="payments")
    customer_id = models.CharField(max_length=64)
    customer_name = models.CharField(max_length=120, blank=True, default="")
    phone = models.CharField(max_length=20, blank=True, default="")
    subscription = models.CharField(max_length=10, choices=Subscription, blank=True, default="")
    status = models.CharField(max_length=12, choices=BillStatus, default=BillStatus.PROCESSING)
    amount = MoneyField()
    fee = MoneyField()
    currency = models.CharField(max_length=3)
    expected_cashback = MoneyField(default=Decimal(0))
    transaction = models.OneToOneField(
        "transactions.Transaction", on_delete=models.PROTECT, related_name="bill_payment"
    )
    vendor = models.CharField(max_length=20)
    token = EncryptedTextField(null=True)
    units = models.CharField(max_length=40, blank=True, default="")
    cost = MoneyField(null=True, blank=True, help_text="What left our balance at the vendor")
    failure_code = models.CharField(max_length=60, blank=True, default="")
    needs_review = models.BooleanField(default=False)
    review_reason = models.CharField(max_length=200, blank=True, default="")
    sends = models.PositiveSmallIntegerField(default=0, editable=False)
    unfinished = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions: ClassVar = [("check_billpayment", "Can have a bill payment asked about at once")]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="bill_by_user"),
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="bill_due"),
            models.Index(fields=["created_at"], condition=Q(needs_review=True), name="bill_needs_review"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="bill_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(status=BillStatus.PROCESSING) | Q(next_check_at__isnull=True),
                name="bill_only_processing_is_due",
            ),
            models.CheckConstraint(
                condition=~Q(status=BillStatus.PROCESSING)
                | Q(next_check_at__isnull=False)
                | Q(needs_review=True),
                name="bill_processing_is_due_or_reviewed",
            ),
            models.CheckConstraint(
                condition=Q(status=BillStatus.PROCESSING, completed_at__isnull=True)
                | (~Q(status=BillStatus.PROCESSING) & Q(completed_at__isnull=False)),
                name="bill_final_has_a_time",
            ),
            models.CheckConstraint(condition=Q(status__in=BillStatus.values), name="bill_status_is_known"),
        ]

    def __str__(self) -> str:
        return self.reference


class BillAttempt(models.Model):
    """One order at a vendor under one reference of ours; ``evidence`` is what it answered, without secrets."""

    id = UuidKey()
    payment = models.ForeignKey(BillPayment, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    vendor = models.CharField(max_length=20)
    vendor_reference = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=AttemptState, default=AttemptState.PLANNED)
    outcome_code = models.CharField(max_length=60, blank=True, default="")
    vendor_id = models.CharField(max_length=64, blank=True, default="")
    not_found_readings = models.PositiveSmallIntegerField(default=0)
    evidence = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When the vendor first spoke about this order"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payment", "number"], name="bill_attempt_number_is_unique"),
            models.UniqueConstraint(
                fields=["vendor", "vendor_reference"], name="bill_attempt_reference_is_unique"
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state__in=[AttemptState.PLANNED, AttemptState.SENT]),
                name="bill_one_open_attempt",
            ),
        ]

    def __str__(self) -> str:
        return self.vendor_reference
