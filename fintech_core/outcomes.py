"""What a vendor's answer means for money: the vocabulary of every adapter. Imports no models."""

from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a call to a vendor ended.

    Only ``declined`` and ``not_sent`` may release money, only ``succeeded`` may move it; whatever is not understood
    is ``unknown`` and is asked about again.
    """

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    REVERSED = "reversed"
    UNKNOWN = "unknown"


class ProviderError(Exception):
    """A vendor call that did not answer what was asked; ``outcome`` says what may be concluded from it."""

    def __init__(
        self,
        outcome: Outcome,
        code: str,
        detail: str,
        *,
        alarm: bool = False,
        evidence: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{outcome}: {code}: {detail}")
        self.outcome = outcome
        self.code = code
        self.detail = detail
        self.alarm = alarm
        self.evidence = evidence or {}


def declined(code: str, detail: str, **evidence: Any) -> ProviderError:
    """Build the error for a documented, definite refusal."""
    return ProviderError(Outcome.DECLINED, code, detail, evidence=evidence)


def not_sent(code: str, detail: str, *, alarm: bool = False) -> ProviderError:
    """Build the error for a request that provably had no effect at the vendor."""
    return ProviderError(Outcome.NOT_SENT, code, detail, alarm=alarm)


def unknown(code: str, detail: str, *, alarm: bool = False) -> ProviderError:
    """Build the error for everything else: time-outs, 5xx, broken bodies, unlisted codes."""
    return ProviderError(Outcome.UNKNOWN, code, detail, alarm=alarm)
