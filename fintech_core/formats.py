"""Answers in several formats, chosen by ``Accept`` or ``?format=``: JSON, CSV, PDF, HTML."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.utils.cache import patch_vary_headers
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core.api import ApiViewSet

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "pdf": "application/pdf",
    "html": "text/html",
}


class ProblemsAreJson(BaseContentNegotiation):
    """Leaves the choice to the action, so that a refusal is told in JSON whatever format was asked for."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        """Return the only parser there is."""
        parser: BaseParser = parsers[0]
        return parser

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer of JSON."""
        return renderers[0], renderers[0].media_type


class DocumentViewSet(ApiViewSet):
    """Base of views whose ``formats`` name, per action, what they answer in; the first is for who does not mind."""

    content_negotiation_class = ProblemsAreJson
    formats: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def chosen_format(self) -> str:
        """Return the format to answer in. Raises NotAcceptable (406) when none is accepted, ValidationError."""
        offered = self.formats[self.action or ""]
        named = self.request.query_params.get("format")
        if named is not None:
            if named not in offered:
                detail = exceptions.ErrorDetail(f"Send one of {', '.join(offered)}.", code="invalid_choice")
                raise exceptions.ValidationError({"format": [detail]})
            return named
        by_type = {MEDIA_TYPES[name]: name for name in offered}
        preferred = self.request._request.get_preferred_type(list(by_type))
        if preferred is None:
            raise exceptions.NotAcceptable(f"This can be had as {', '.join(by_type)}.")
        return by_type[preferred]

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Tell caches that the answer depends on ``Accept``."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, ["Accept"])
        return final
