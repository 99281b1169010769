"""The webhook routes' parser: bytes as they came, since a signature covers nothing else."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from fintech_core.parsing import MAX_BODY_BYTES, PayloadTooLarge


class RawBytes(BaseParser):
    """Reads any media type up to the view's ``max_body_bytes`` and looks into none of it."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body; raises PayloadTooLarge."""
        limit = getattr((parser_context or {}).get("view"), "max_body_bytes", MAX_BODY_BYTES)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(f"This route reads at most {limit} bytes.")
        return raw
