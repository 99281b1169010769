"""Sessions: families of refresh tokens, each token exchanged once."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from fintech_core.fields import UuidKey
from users.enums import RevokedReason

USER_AGENT_LENGTH = 200


class Session(models.Model):
    """One sign-in on one device. Access tokens name it, so revoking it ends them at their next use."""

    id = UuidKey()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    device_id = models.UUIDField(null=True, blank=True)
    user_agent = models.CharField(max_length=USER_AGENT_LENGTH, blank=True, default="")
    ip = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="The last sign-in or refresh")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=20, choices=RevokedReason, blank=True, default="")

    class Meta:
        permissions: ClassVar = [("end_session", "Can end a customer's session")]
        indexes: ClassVar = [models.Index(fields=["user", "-created_at", "-id"], name="session_by_user")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_reason="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_reason=""),
                name="session_revoked_with_a_reason",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_agent[:40] or 'unknown device'} since {self.created_at:%Y-%m-%d}"


class RefreshToken(models.Model):
    """One link of a session's chain, as a hash; ``parent`` is unique, so no token has two successors."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    token_hash = models.BinaryField(max_length=32, unique=True)
    parent = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="successor")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["session"], condition=Q(consumed_at__isnull=True), name="session_has_one_live_token"
            )
        ]

    def __str__(self) -> str:
        return f"refresh token {self.pk}"
