"""Settings of django-hordak in a database of its own."""

import os
from urllib.parse import parse_qs, urlsplit

_ADDRESS = urlsplit(os.environ["DATABASE_OWNER_URL"])
SECRET_KEY = "only-for-the-benchmark"  # noqa: S105  nothing is signed with it
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "mptt",
    "djmoney",
    "hordak",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _ADDRESS.path.lstrip("/"),
        "USER": _ADDRESS.username or "",
        "HOST": parse_qs(_ADDRESS.query)["host"][0],
        "PORT": parse_qs(_ADDRESS.query).get("port", [""])[0] or _ADDRESS.port or "",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"prepare_threshold": 5},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
CURRENCIES = ["EUR"]
DEFAULT_CURRENCY = "EUR"
HORDAK_INTERNAL_CURRENCY = "EUR"
HORDAK_DECIMAL_PLACES = 2
