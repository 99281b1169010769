"""The device behind a request, as far as it tells: kept with the session and shown to its owner."""

import re
from dataclasses import dataclass
from uuid import UUID

from rest_framework import exceptions
from rest_framework.request import Request

from fintech_core import addresses
from users.models.sessions import USER_AGENT_LENGTH

HEADER = "X-Device-Id"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from. ``device_id`` is a UUID that the app keeps; browsers may have none."""

    device_id: UUID | None = None
    user_agent: str = ""
    ip: str | None = None


def device_of(request: Request) -> Device:
    """Describe the device of a request; raises ValidationError when ``X-Device-Id`` is not a UUID."""
    given = request.headers.get(HEADER)
    if given is not None and _UUID.fullmatch(given) is None:
        raise exceptions.ValidationError({HEADER: [exceptions.ErrorDetail("Send a UUID.", code="invalid")]})
    agent = _CONTROL.sub(" ", request.headers.get("User-Agent", ""))
    address = addresses.client_address(request._request)
    return Device(
        device_id=UUID(given) if given else None,
        user_agent=agent[:USER_AGENT_LENGTH],
        ip=None if address == addresses.UNKNOWN else address,
    )
