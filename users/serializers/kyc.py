"""Bodies and answers of identity cases. None of them carries a document number out."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fintech_core.serializers import QueryParameters, Request, Text
from users.enums import AUTOMATIC_TIER, HIGHEST_TIER, KYC_OPEN, DocumentType, KycStatus
from users.serializers.fields import BirthDateField

_REGISTER_NUMBER = re.compile(r"[0-9]{11}")
_OTHER_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z /-]{3,28}[0-9A-Z]")
_REGISTERS = frozenset({DocumentType.BVN, DocumentType.NIN})
_TOLD_REASON = frozenset({KycStatus.REJECTED, KycStatus.NEEDS_INFO})


@extend_schema_field({"type": "integer", "minimum": AUTOMATIC_TIER, "maximum": HIGHEST_TIER})
class TierField(serializers.Field[int, Any, int, Any]):
    """A tier to be reached, a JSON integer; strings, floats and booleans are not turned into one."""

    default_error_messages = {"invalid": f"Send a whole number from {AUTOMATIC_TIER} to {HIGHEST_TIER}."}

    def to_internal_value(self, data: Any) -> int:
        """Read the tier; raises ValidationError."""
        if isinstance(data, bool) or not isinstance(data, int) or not AUTOMATIC_TIER <= data <= HIGHEST_TIER:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: int) -> int:
        """Write the tier."""
        return value


class SubmitKycRequest(Request):
    """An identity check to be made. BVN and NIN have 11 digits; tier 1 reads no other document."""

    tier = TierField()
    document_type = serializers.ChoiceField(choices=DocumentType.choices)
    document_number = Text(max_length=30, write_only=True)
    date_of_birth = BirthDateField()
    address = Text(required=False, allow_blank=True, max_length=300, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold the document to its type, and the type to the tier."""
        document_type, number = attrs["document_type"], attrs["document_number"].upper()
        if attrs["tier"] == AUTOMATIC_TIER and document_type not in _REGISTERS:
            raise _fault("document_type", "Tier 1 is checked by bvn or nin.")
        shape = _REGISTER_NUMBER if document_type in _REGISTERS else _OTHER_NUMBER
        if shape.fullmatch(number) is None:
            raise _fault("document_number", "This is not a number of such a document.")
        if attrs["tier"] > AUTOMATIC_TIER and not attrs["address"].strip():
            raise _fault("address", "Tiers 2 and 3 need your address.", code="required")
        return {**attrs, "document_number": number}


def _fault(field: str, detail: str, code: str = "invalid") -> serializers.ValidationError:
    return serializers.ValidationError({field: [serializers.ErrorDetail(detail, code=code)]})


class KycCaseResponse(serializers.Serializer[Any]):
    """An identity case as its owner sees it."""

    id = serializers.UUIDField()
    tier = serializers.IntegerField()
    status = serializers.ChoiceField(choices=KycStatus.choices)
    document_type = serializers.ChoiceField(choices=DocumentType.choices)
    reason = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    is_final = serializers.SerializerMethodField()
    next_poll_at = serializers.DateTimeField(source="next_check_at", allow_null=True)
    resolve_by = serializers.SerializerMethodField()

    def get_reason(self, case: Any) -> str | None:
        """Return why the case was rejected or what is missing; what staff note otherwise stays with them."""
        return case.reason if case.status in _TOLD_REASON else None

    def get_is_final(self, case: Any) -> bool:
        """Say whether the status can still change by itself."""
        return case.status not in KYC_OPEN

    def get_resolve_by(self, case: Any) -> str | None:
        """Return null: how long a person takes to look is not promised."""
        return None


class KycCustomerResponse(serializers.Serializer[Any]):
    """Who asks to be known."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(source="get_full_name")
    kyc_tier = serializers.IntegerField()


class StaffKycCaseResponse(serializers.Serializer[Any]):
    """An identity case as staff see it."""

    id = serializers.UUIDField()
    user = KycCustomerResponse()
    tier = serializers.IntegerField()
    status = serializers.ChoiceField(choices=KycStatus.choices)
    document_type = serializers.ChoiceField(choices=DocumentType.choices)
    date_of_birth = BirthDateField()
    address = serializers.CharField()
    reason = serializers.CharField()
    decided_by = serializers.UUIDField(source="decided_by_id", allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class StaffKycQuery(QueryParameters):
    """Filters of the staff list."""

    status = serializers.ChoiceField(choices=KycStatus.choices, required=False)


class ApproveKycRequest(Request):
    """An approval may say why."""

    reason = Text(required=False, allow_blank=True, max_length=500, default="")


class RejectKycRequest(Request):
    """A rejection says why; the customer reads it."""

    reason = Text(max_length=500)
