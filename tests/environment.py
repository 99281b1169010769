"""The environment of a test run, set before Django's settings are read (loaded by ``pytest.ini``)."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("LOCAL_DIR", str(ROOT / ".local" / "test"))
os.environ.setdefault("EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
os.environ.setdefault("LOG_LEVEL", "WARNING")
