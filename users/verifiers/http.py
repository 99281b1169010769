"""The verifier over HTTP: ``POST /identity`` asks, ``GET /identity/{reference}`` looks a question up.

Both answer 200 with ``{"reference", "status": "approved" | "rejected" | "review", "reason"}``. The look-up
answers 404 for a reference that never arrived. Whatever else comes back is unknown.
"""

import re
from typing import Any
from urllib.parse import quote

from django.conf import settings

from fintech_core import http, outcomes
from users.verifiers.base import IdentityAnswer, IdentityCheck, Verdict

VENDOR = "verifier"
MAX_REASON = 300
_UNPRINTABLE = re.compile(r"[^\w .,;:'()/-]+")
_NUMBERS = re.compile(r"\d{6,}")


class HttpVerifier:
    """Speaks to the verifier at ``VERIFIER_BASE_URL`` with ``VERIFIER_API_KEY``."""

    def check(self, question: IdentityCheck) -> IdentityAnswer:
        """Ask about an identity; raises ProviderError."""
        body = {
            "reference": question.reference,
            "document_type": question.document_type,
            "document_number": str(question.document_number),
            "date_of_birth": question.date_of_birth.isoformat(),
            "first_name": question.first_name,
            "last_name": question.last_name,
        }
        answer = self._send("POST", "/identity", body)
        return self._read(answer, question.reference)

    def find(self, reference: str) -> IdentityAnswer | None:
        """Return the answer to an earlier question, None when it never arrived; raises ProviderError."""
        answer = self._send("GET", f"/identity/{quote(reference, safe='')}", None)
        return None if answer.status == 404 else self._read(answer, reference)

    def redact(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body of this wire with what identifies a person taken out."""
        hidden = {"document_number", "date_of_birth", "first_name", "last_name"}
        return {name: "[redacted]" if name in hidden else value for name, value in body.items()}

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> http.Answer:
        return http.send(
            vendor=VENDOR,
            method=method,
            url=f"{settings.VERIFIER_BASE_URL}{path}",
            headers={"Authorization": f"Bearer {settings.VERIFIER_API_KEY}", "Accept": "application/json"},
            json=body,
            deadline_s=settings.VENDOR_READ_TIMEOUT_S,
        )

    def _read(self, answer: http.Answer, reference: str) -> IdentityAnswer:
        """Map an answer; another person's reference and an unlisted status are unknown."""
        answer.raise_for_server_error()
        if answer.status in {401, 402, 403}:
            raise outcomes.unknown(
                "account_refused", f"The verifier answered HTTP {answer.status}.", alarm=True
            )
        if answer.status != 200:
            raise outcomes.unknown("unexpected_status", f"The verifier answered HTTP {answer.status}.")
        body = answer.json()
        if not isinstance(body, dict) or body.get("reference") != reference:
            raise outcomes.unknown("wrong_reference", "The answer is about something else.", alarm=True)
        try:
            verdict = Verdict(str(body.get("status")))
        except ValueError:
            raise outcomes.unknown(
                "unlisted_status", "The verifier's status is not listed.", alarm=True
            ) from None
        return IdentityAnswer(verdict, _sentence(body.get("reason")))


def _sentence(reason: object) -> str:
    """Clean a foreign sentence before it is stored and shown: plain characters, no long numbers, cut."""
    text = reason if isinstance(reason, str) else ""
    return _NUMBERS.sub("…", _UNPRINTABLE.sub(" ", text[:1000])).strip()[:MAX_REASON]
