"""What an identity verifier is asked and may answer. Adapters import this and no models."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What a verifier says about an identity."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """One question. ``reference`` is ours and the same in every repetition."""

    reference: str
    document_type: str
    document_number: str
    date_of_birth: date
    first_name: str
    last_name: str

    def __repr__(self) -> str:
        return f"IdentityCheck({self.reference})"


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """A definite answer; ``reason`` is a short sentence without personal numbers."""

    verdict: Verdict
    reason: str


class Verifier(Protocol):
    """Both calls raise ``outcomes.ProviderError`` when no definite answer came; nothing follows from that."""

    def check(self, question: IdentityCheck) -> IdentityAnswer:
        """Ask about an identity."""

    def find(self, reference: str) -> IdentityAnswer | None:
        """Return the answer to an earlier question, or None when the verifier never got it."""
