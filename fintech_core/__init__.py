"""The ground floor: settings, the small shared modules and their tables. Imports no other app."""

from fintech_core.celery import app as celery_app

__all__ = ["celery_app"]
