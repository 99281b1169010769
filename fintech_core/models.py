"""Tables of the ground floor.

``IdempotencyRecord`` remembers what a key did, ``AuditRecord`` who did what and why, ``JobRun`` when a recurring job
last ran. Users are named by id without a foreign key: these rows outlive whom they speak of, and a key check would
lock a row that every request shares. ``ApprovalRequest`` is what one member of staff asks for and another decides.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.fields import EncryptedTextField, MoneyField, UuidKey


class IdempotencyRecord(models.Model):
    """One key of one user for one operation, and where its answer stands.

    Either ``response_status`` and ``response_body`` hold the final answer, or ``document_kind`` and ``document_id``
    name the document whose present state is the answer. The body is encrypted like the columns it repeats: the
    answer of a bill holds the token that was bought.
    """

    id = models.BigAutoField(primary_key=True)
    user_id = models.UUIDField()
    operation = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    document_kind = models.CharField(max_length=40, blank=True, default="")
    document_id = models.UUIDField(null=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = EncryptedTextField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user_id", "operation", "key"], name="idempotency_one_effect_per_key"
            ),
            models.CheckConstraint(
                condition=Q(response_status__isnull=False) | Q(document_id__isnull=False),
                name="idempotency_has_an_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key[:12]}"


class AuditRecord(models.Model):
    """Who did what to what, and why. Append-only: the database refuses UPDATE, DELETE and TRUNCATE."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=120)
    action = models.CharField(max_length=80)
    target_type = models.CharField(max_length=60)
    target_id = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True, default="")
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["target_type", "target_id", "id"], name="audit_by_target"),
            models.Index(fields=["actor_id", "id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type} {self.target_id}"


class JobRun(models.Model):
    """The last run of a recurring job, one row a job: health and the admin read it."""

    name = models.CharField(max_length=80, primary_key=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20)
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class ApprovalStatus(models.TextChoices):
    """Where a request for a second person's decision stands; the API uses the same words."""

    PENDING = "pending", "Pending"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class ApprovalRequest(models.Model):
    """Money that one member of staff wants to move and another one decides about; amount in major units.

    Each kind is a table of its own that inherits from this one and says what is asked for, so that a question about
    who asked, who decided and what came of it is asked here, whatever the kind. ``result_id`` is what was made of it.
    """

    id = UuidKey()
    kind = models.CharField(max_length=20)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=ApprovalStatus, default=ApprovalStatus.PENDING)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    result_id = models.UUIDField(null=True, unique=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="approval_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="approval_needs_two_people",
            ),
            models.CheckConstraint(
                condition=Q(
                    status=ApprovalStatus.PENDING, decided_by__isnull=True, decided_at__isnull=True,
                    result_id__isnull=True,
                ) | Q(
                    status=ApprovalStatus.REJECTED, decided_by__isnull=False, decided_at__isnull=False,
                    result_id__isnull=True,
                ) | Q(
                    status=ApprovalStatus.APPROVED, decided_by__isnull=False, decided_at__isnull=False,
                    result_id__isnull=False,
                ),
                name="approval_is_decided_with_its_result",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["requested_at", "id"], name="approval_by_request"),
            models.Index(
                fields=["requested_at"], condition=Q(status=ApprovalStatus.PENDING), name="approval_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"
