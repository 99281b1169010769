"""The Celery application: a doorbell over rows in PostgreSQL, never a store of facts.

Every task takes ids only, may run twice at once and may be lost; the row it works on decides.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fintech_core.settings")

app = Celery("fintech_core")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
