"""A phone with the app, as far as the API sees it, and the story of somebody who signs up."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from rest_framework.response import Response
from rest_framework.test import APIClient

from users.models import KycCase, RefreshToken, Session, TransactionPin, User

PASSWORD = "correct-Horse-battery"


@dataclass
class Phone:
    """Sends requests and keeps the tokens of the last sign-in."""

    client: APIClient
    device_id: str | None = None
    tokens: dict[str, Any] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Send one request; signed in once there are tokens."""
        if self.device_id:
            headers.setdefault("X-Device-Id", self.device_id)
        if self.tokens:
            headers.setdefault("Authorization", f"Bearer {self.tokens['access']}")
        send = getattr(self.client, method)
        data = {} if body is None else {"data": body, "format": "json"}
        answer: Response = send(f"/api/v1{path}", headers=headers, **data)
        if answer.status_code < 300 and isinstance(answer.data, dict) and "access" in answer.data:
            self.tokens = {name: answer.data[name] for name in ("access", "refresh")}
        return answer

    def register(self, **changes: Any) -> Response:
        """Sign somebody up."""
        return self.send("post", "/auth/register", sign_up(**changes))

    def refresh(self, token: str | None = None) -> Response:
        """Exchange the refresh token."""
        return self.send("post", "/auth/refresh", {"refresh": token or self.tokens["refresh"]})


def sign_up(**changes: Any) -> dict[str, Any]:
    """Return a body that signs somebody new up."""
    body = {
        "email": f"{uuid4().hex}@example.com",
        "password": PASSWORD,
        "first_name": "Chidi",
        "last_name": "Okafor",
    }
    return {**body, **changes}


def code_of(answer: Response) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.data["code"]


def field_codes(answer: Response) -> set[tuple[str, str]]:
    """Return field and code of every fault that an invalid body was told."""
    assert answer.status_code == 400, answer.data
    return {(fault["field"], fault["code"]) for fault in answer.data["errors"]}


def tables() -> tuple[Any, ...]:
    """Return what this app's tables hold, to compare before and after a refusal."""
    return (
        sorted(
            User.objects.values_list(
                "pk", "email", "first_name", "phone", "kyc_tier", "is_staff", "is_active"
            )
        ),
        sorted(Session.objects.values_list("pk", "revoked_at")),
        sorted(RefreshToken.objects.values_list("pk", "consumed_at")),
        sorted(TransactionPin.objects.values_list("pk", "digest", "set_at")),
        sorted(KycCase.objects.values_list("pk", "status")),
    )
