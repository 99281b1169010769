"""The user: keys are UUIDv7, so no table tells how many customers there are."""

import secrets
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from fintech_core.fields import UuidKey

CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10


def new_referral_code() -> str:
    """Make a code that a person can read aloud: 10 of 30 characters, none of which look alike."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


class UserManager(BaseUserManager["User"]):
    """Creates users with a normalised e-mail address and a hashed password."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a customer; ``password`` None makes an account that cannot sign in."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a staff member with every permission (``manage.py createsuperuser``)."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user by e-mail, ignoring case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who holds money here, or who works here."""

    id = UuidKey()
    email = models.EmailField(max_length=254)
    phone = models.CharField(max_length=16, null=True, blank=True, help_text="E.164")  # noqa: DJ001  no phone is no value
    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    phone_verified_at = models.DateTimeField(null=True, blank=True)
    kyc_tier = models.PositiveSmallIntegerField(default=0)
    referral_code = models.CharField(max_length=16, unique=True, editable=False, default=new_referral_code)
    referred_by_code = models.CharField(  # noqa: DJ001  no code is no value
        max_length=16, null=True, blank=True, editable=False, help_text="The referral code given at sign-up"
    )
    language = models.CharField(max_length=8, default="en")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["first_name", "last_name"]

    class Meta:
        permissions: ClassVar = [("suspend_user", "Can suspend and reinstate customers")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["email"], name="user_email_is_unique"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case"),
            models.UniqueConstraint(
                fields=["phone"],
                condition=Q(phone__isnull=False, phone_verified_at__isnull=False),
                name="user_verified_phone_is_unique",
            ),
            models.CheckConstraint(condition=Q(kyc_tier__lte=3), name="user_kyc_tier_is_0_to_3"),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def email_verified(self) -> bool:
        """Say whether the person has proved that they read mail at this address."""
        return self.email_verified_at is not None

    @property
    def phone_verified(self) -> bool:
        """Say whether the person has proved that the phone is theirs."""
        return self.phone_verified_at is not None

    def get_full_name(self) -> str:
        """Return the name as the person wrote it."""
        return f"{self.first_name} {self.last_name}".strip()
