"""Routes of this app, below ``/api/v1/``: none until paying a bill is built."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
