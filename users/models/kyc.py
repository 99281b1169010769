"""Identity cases, and the documents that they proved."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from fintech_core.attempts import DueWork
from fintech_core.fields import EncryptedTextField, UuidKey
from users.enums import KYC_OPEN, DocumentType, KycStatus


class KycCase(DueWork):
    """One request to be known better. The row is the verifier's queue: ``submitted`` and due means ask.

    The id is our reference at the verifier and never changes, so asking twice cannot make two checks.
    """

    id = UuidKey()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="kyc_cases")
    tier = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=12, choices=KycStatus, default=KycStatus.SUBMITTED)
    document_type = models.CharField(max_length=20, choices=DocumentType)
    document_number = EncryptedTextField()
    document_fingerprint = models.BinaryField(max_length=32)
    date_of_birth = models.DateField()
    address = models.CharField(max_length=300, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="decided_kyc_cases",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "identity case"
        permissions: ClassVar = [("decide_kyc", "Can approve and reject identity cases")]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="kyc_by_user"),
            models.Index(fields=["status", "-created_at", "-id"], name="kyc_by_status"),
            models.Index(fields=["next_check_at"], name="kyc_due", condition=Q(next_check_at__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(status__in=sorted(KYC_OPEN)), name="kyc_one_open_case_per_user"
            ),
            models.CheckConstraint(condition=Q(tier__gte=1, tier__lte=3), name="kyc_tier_is_1_to_3"),
            models.CheckConstraint(
                condition=~Q(decided_by=F("user")), name="kyc_nobody_decides_their_own_case"
            ),
            models.CheckConstraint(
                condition=Q(status__in=[KycStatus.SUBMITTED]) | Q(next_check_at__isnull=True),
                name="kyc_only_submitted_cases_are_due",
            ),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=False)
                | ~Q(status__in=[KycStatus.APPROVED, KycStatus.REJECTED]),
                name="kyc_decided_cases_say_when",
            ),
        ]

    def __str__(self) -> str:
        return f"tier {self.tier} case {self.pk}"


class IdentityDocument(models.Model):
    """Whose document this is: the first approved case claims it, and nobody else is approved with it."""

    document_type = models.CharField(max_length=20, choices=DocumentType)
    fingerprint = models.BinaryField(max_length=32)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="identity_documents"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["document_type", "fingerprint"], name="identity_document_has_one_owner"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_document_type_display()} of {self.user_id}"
