"""The environment of a test run, set before Django's settings are read (loaded by ``pytest.ini``)."""

import os
import signal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("LOCAL_DIR", str(ROOT / ".local" / "test"))
os.environ.setdefault("EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
os.environ.setdefault("LOG_LEVEL", "WARNING")

# Whoever started the run may have it ignore Ctrl-C, as a shell does for a job in the background; processes that are
# started here would inherit that, and some are ended by it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
