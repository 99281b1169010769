"""WSGI entry point."""

import gc
import os
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fintech_core.settings")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def whole_bodies(serve: Application) -> Application:
    """Give a body that came without a length (RFC 9112, 7.1) its length: Django reads no other.

    No more is read than any route takes and one byte, so that a larger one is refused like every large body.
    """

    def serve_whole(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            raw = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ |= {"wsgi.input": BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}
        return serve(environ, start_response)

    return serve_whole


def loaded(serve: Application) -> Application:
    """Load what the first request would, and keep it out of every later search for garbage.

    Such a search walks along all objects, and the program itself is most of them: a request that met one waited a
    quarter of a second for what can never be garbage.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    return serve


application = loaded(whole_bodies(get_wsgi_application()))
