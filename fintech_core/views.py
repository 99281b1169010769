"""System pages: health, metrics, the API's documentation, what an error code means, and the pages of errors."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache, wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fintech_core import health as checks
from fintech_core.error_catalogue import catalogue
from fintech_core.exceptions import problem_response
from fintech_core.metrics import page as metrics_page

View = Callable[..., HttpResponse]
BEARER = "Bearer "


def reads_only(view: View) -> View:
    """Answer GET and HEAD; any other method gets a 405 problem, and is not asked for the token of a form."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request, *args, **kwargs)
        response = problem_response(
            request, "method_not_allowed", 405, "This method is not allowed here", "This page is only read."
        )
        response["Allow"] = "GET, HEAD"
        return response

    return guarded


# Health


@reads_only
def health(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; asks nobody else."""
    return _uncached({"status": "ok"})


livez = health


@reads_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve, for load balancers: the database answers. Tells no details."""
    status, _ = checks.run(["database"])
    return _uncached({"status": status}, 200 if status == "ok" else 503)


def asks_for_token(view: View) -> View:
    """Ask for ``METRICS_TOKEN`` as a bearer token, in production and wherever it is set; without it a 401 problem."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if _may_see_details(request):
            return view(request, *args, **kwargs)
        response = problem_response(
            request, "not_authenticated", 401, "Authentication is required", "Send the metrics token."
        )
        response["WWW-Authenticate"] = "Bearer"
        return response

    return guarded


@reads_only
@asks_for_token
def health_detailed(request: HttpRequest) -> HttpResponse:
    """Tell every report; 503 when something critical is down."""
    status, reports = checks.run()
    return _uncached({"status": status, "checks": reports}, 503 if status == "down" else 200)


@reads_only
@asks_for_token
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell every metric to Prometheus, in the format it asks for; 200 also when something is down."""
    body, content_type = metrics_page(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _may_see_details(request: HttpRequest) -> bool:
    expected = settings.METRICS_TOKEN
    if not expected:
        return not settings.PRODUCTION
    given = request.headers.get("Authorization", "")
    return given.startswith(BEARER) and hmac.compare_digest(given[len(BEARER) :].encode(), expected.encode())


def _uncached(body: dict[str, Any], status: int = 200) -> JsonResponse:
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    return response


# Documentation


class AnyAccept(DefaultContentNegotiation):
    """Take the renderer that the client asks for, else the first one: a page is better than a 406."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Choose a renderer; never raises."""
        offered = list(renderers)
        for accepted in self.get_accept_list(request):
            for renderer in offered:
                if accepted.split(";")[0].strip() == renderer.media_type:
                    return renderer, renderer.media_type
        return offered[0], offered[0].media_type


class DocumentationPage(APIView):
    """Base of the pages below: whatever is accepted is served, nobody is counted, and a refusal is JSON."""

    content_negotiation_class = AnyAccept
    throttle_classes = ()
    http_method_names = ["get", "head"]

    def handle_exception(self, exc: Exception) -> Response:
        """Write the problem as JSON: the page's own renderer makes plain text or YAML of it."""
        request: Any = self.request
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().handle_exception(exc)


@cache
def _document() -> Any:
    generator: Any = SchemaGenerator
    return generator().get_schema(request=None, public=True)


class OneDocument(SchemaGenerator):
    """The document is the same for everybody and takes seconds to make: make it once a process."""

    def get_schema(self, request: Request | None = None, public: bool = False) -> Any:
        """Return the public document."""
        return _document()


class Schema(DocumentationPage, SpectacularAPIView):
    """The OpenAPI document: JSON unless YAML (``application/vnd.oai.openapi``) is asked for."""

    generator_class = OneDocument
    renderer_classes = [OpenApiJsonRenderer2, OpenApiYamlRenderer]


class Swagger(DocumentationPage, SpectacularSwaggerView):
    """The API to try out: Swagger UI, served from here."""


class Redoc(DocumentationPage, SpectacularRedocView):
    """The API to read: ReDoc, served from here and without web fonts."""

    template_name = "fintech_core/redoc.html"


@reads_only
def error_index(request: HttpRequest) -> HttpResponse:
    """List every error code."""
    entries = list(catalogue().values())
    if _wants_json(request):
        return JsonResponse({"results": [asdict(entry) for entry in entries]})
    return render(request, "fintech_core/errors.html", {"title": "Error codes", "entries": entries})


@reads_only
def error_page(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one error code: where the ``type`` of every problem leads."""
    entry = catalogue().get(code)
    if entry is None:
        return not_found(request)
    if _wants_json(request):
        return JsonResponse(asdict(entry))
    return render(request, "fintech_core/errors.html", {"title": entry.title, "entries": [entry]})


# Error handlers (``handler400`` … of the root urlconf)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request that cannot be read."""
    return _refusal(request, "malformed_request", 400, "The request cannot be read")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer who may not do this."""
    return _refusal(request, "permission_denied", 403, "You may not do this")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path that leads nowhere."""
    return _refusal(request, "not_found", 404, "Not found")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after an error of ours; touches neither database nor session."""
    return _refusal(request, "internal_error", 500, "Something went wrong here")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is missing or old (``CSRF_FAILURE_VIEW``)."""
    return _refusal(
        request, "permission_denied", 403, "The form has expired: go back, reload and send it again"
    )


def _refusal(request: HttpRequest, code: str, status: int, title: str) -> HttpResponse:
    if _wants_json(request):
        return problem_response(request, code, status, title, f"{title}.")
    request_id = getattr(request, "request_id", "")
    page = render_to_string(
        "fintech_core/refusal.html", {"title": title, "status": status, "request_id": request_id}
    )
    return HttpResponse(page, status=status)


def _wants_json(request: HttpRequest) -> bool:
    """Say whether a program asks: below ``/api/``, or without naming HTML, as every browser does."""
    return request.path_info.startswith("/api/") or "text/html" not in request.headers.get("Accept", "")
