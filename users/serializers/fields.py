"""Fields that only people have: e-mail, phone, names, birth dates."""

import re
import unicodedata
from datetime import date
from typing import Any

import phonenumbers
from django.conf import settings
from django.core.validators import EmailValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fintech_core import clock
from fintech_core.serializers import Text

_PHONE = re.compile(r"\+?[0-9 ().-]{4,31}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_REFERRAL_CODE = re.compile(r"[0-9A-Z]{4,16}")
_EARLIEST_BIRTH = date(1900, 1, 1)
# Control, format (which turns text round), surrogate, private and unassigned characters.
_NOT_IN_A_NAME = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailField(Text):
    """An e-mail address, lower-cased: two spellings of one address are one account."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 254, **kwargs})
        self.validators.append(EmailValidator("Send an e-mail address."))

    def to_internal_value(self, data: Any) -> str:
        """Read an address; raises ValidationError."""
        return super().to_internal_value(data).lower()


class PasswordField(Text):
    """A password as it was typed, at most 128 characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "max_length": 128, "trim_whitespace": False, **kwargs})


class PersonNameField(Text):
    """A name as its owner writes it, on one line and without characters that cannot be seen."""

    default_error_messages = {"unprintable": "A name has printable characters only."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 80, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Read a name in Unicode's composed form; raises ValidationError."""
        name = unicodedata.normalize("NFC", super().to_internal_value(data))
        if any(unicodedata.category(character) in _NOT_IN_A_NAME for character in name):
            self.fail("unprintable")
        return name


class PhoneField(Text):
    """A phone number, international or national of the default region; E.164 inside."""

    default_error_messages = {"invalid_phone": "Send a phone number that exists, best as +2348012345678."}

    def to_internal_value(self, data: Any) -> str:
        """Read a phone number; raises ValidationError with code ``invalid_phone``."""
        text = super().to_internal_value(data)
        if _PHONE.fullmatch(text) is None:
            self.fail("invalid_phone")
        try:
            number = phonenumbers.parse(text, settings.PHONENUMBER_DEFAULT_REGION)
        except phonenumbers.NumberParseException:
            self.fail("invalid_phone")
        if not phonenumbers.is_valid_number(number):
            self.fail("invalid_phone")
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class ReferralCodeField(Text):
    """The shape of a referral code; whether it is anybody's is not looked at here."""

    default_error_messages = {"invalid": "A referral code has 4 to 16 letters and digits."}

    def to_internal_value(self, data: Any) -> str:
        """Read a code in capitals; raises ValidationError."""
        code = super().to_internal_value(data).upper()
        if _REFERRAL_CODE.fullmatch(code) is None:
            self.fail("invalid")
        return code


class LanguageField(Text):
    """A language tag such as ``en`` or ``ha-NG`` (RFC 5646, language and region)."""

    default_error_messages = {"invalid": "Send a language tag such as en or ha-NG."}

    def to_internal_value(self, data: Any) -> str:
        """Read a tag; raises ValidationError."""
        tag = super().to_internal_value(data)
        if _LANGUAGE.fullmatch(tag) is None:
            self.fail("invalid")
        return tag


@extend_schema_field(OpenApiTypes.DATE)
class BirthDateField(serializers.Field[date, Any, str, Any]):
    """A past date as ``YYYY-MM-DD``."""

    default_error_messages = {"invalid": "Send a past date as YYYY-MM-DD."}

    def to_internal_value(self, data: Any) -> date:
        """Read a date; raises ValidationError for another spelling and for no possible birth date."""
        if not isinstance(data, str) or _DATE.fullmatch(data) is None:
            self.fail("invalid")
        try:
            day = date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if not _EARLIEST_BIRTH <= day < clock.business_day(clock.now()):
            self.fail("invalid")
        return day

    def to_representation(self, value: date) -> str:
        """Write the date."""
        return value.isoformat()
