"""The ground floor: settings, the small shared modules and their tables. Imports no other app."""

import gc

# New objects between two collections. What is imported lives for ever, and what a request makes is mostly freed when it
# is let go of; with Python's own 700 looking for cycles takes a tenth of a program's start and of its work.
gc.set_threshold(50_000, 10, 10)

from fintech_core.celery import app as celery_app  # noqa: E402  imports most of what there is

__all__ = ["celery_app"]
