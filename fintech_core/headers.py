"""Request headers that several routes take, as the OpenAPI document tells them."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter


def _header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, required=required, description=description
    )


IDEMPOTENCY_KEY = _header(
    "Idempotency-Key", "1 to 255 visible ASCII characters; repeat it when you retry.", required=True
)
PREFER = _header(
    "Prefer", "wait=0 to wait=8: how many seconds the answer may wait for the outcome (RFC 7240)."
)
IF_MATCH = _header("If-Match", "The ETag of the wallet as you saw it: 412 when it has changed since.")
IF_NONE_MATCH = _header("If-None-Match", "The ETag of an earlier answer: 304 while nothing has changed.")
