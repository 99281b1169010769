"""Bodies and answers of accounts, sessions and the PIN."""

from typing import Any

from rest_framework import serializers

from fintech_core.serializers import PinField, Request, Text
from users.enums import KycStatus
from users.selectors import NO_CASE
from users.serializers.fields import (
    EmailField,
    LanguageField,
    PasswordField,
    PersonNameField,
    PhoneField,
    ReferralCodeField,
)


class RegisterRequest(Request):
    """Sign-up."""

    email = EmailField()
    password = PasswordField()
    first_name = PersonNameField()
    last_name = PersonNameField()
    phone = PhoneField(required=False, default=None)
    referral_code = ReferralCodeField(required=False, default=None)


class LoginRequest(Request):
    """Sign-in. The address is not judged by its form: whatever it is, a wrong pair answers the same."""

    email = Text(max_length=254)
    password = PasswordField()


class RefreshRequest(Request):
    """A refresh token, for the next pair or to sign out."""

    refresh = Text(max_length=200, trim_whitespace=False)


class UpdateProfileRequest(Request):
    """What a person may change of themselves."""

    first_name = PersonNameField(required=False)
    last_name = PersonNameField(required=False)
    language = LanguageField(required=False)


class SetPinRequest(Request):
    """The first PIN comes with the password, a change with the PIN that it replaces."""

    pin = PinField(required=True)
    password = PasswordField(required=False, default=None)
    current_pin = PinField(required=False, default=None)


class ProfileResponse(serializers.Serializer[Any]):
    """A person as they see themselves."""

    id = serializers.UUIDField(source="user.id")
    email = serializers.EmailField(source="user.email")
    phone = serializers.CharField(source="user.phone", allow_null=True)
    first_name = serializers.CharField(source="user.first_name")
    last_name = serializers.CharField(source="user.last_name")
    email_verified = serializers.BooleanField(source="user.email_verified")
    phone_verified = serializers.BooleanField(source="user.phone_verified")
    kyc_tier = serializers.IntegerField(source="user.kyc_tier", min_value=0, max_value=3)
    kyc_status = serializers.ChoiceField(choices=[NO_CASE, *KycStatus.values])
    has_pin = serializers.BooleanField()
    referral_code = serializers.CharField(source="user.referral_code")
    language = serializers.CharField(source="user.language")
    created_at = serializers.DateTimeField(source="user.created_at")


class TokenPairResponse(serializers.Serializer[Any]):
    """An access token with its end, and the refresh token that is good for one exchange."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    access_expires_at = serializers.DateTimeField()


class SignInResponse(TokenPairResponse):
    """A fresh sign-in: the person and their first tokens."""

    user = ProfileResponse()


class SessionResponse(serializers.Serializer[Any]):
    """One place where the person is signed in."""

    id = serializers.UUIDField()
    device_id = serializers.UUIDField(allow_null=True)
    user_agent = serializers.CharField()
    ip = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    current = serializers.SerializerMethodField()

    def get_current(self, session: Any) -> bool:
        """Say whether this is the session that asks."""
        return bool(session.pk == self.context.get("session_id"))
