"""Settings: one file, everything from the environment, safe defaults for development.

Production (``ENVIRONMENT=production``) refuses to start with a default secret or a development switch.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from fintech_core import development, logs
from fintech_core.environment import amounts

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

ENVIRONMENT = env.str("ENVIRONMENT", default="development")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("DEBUG", default=False) and not PRODUCTION
LOCAL_DIR = Path(env.str("LOCAL_DIR", default=str(BASE_DIR / ".local"))).absolute()


def required(name: str, development: str) -> str:
    """Read a setting whose development default production refuses."""
    value: str = env.str(name, default=development)
    if PRODUCTION and value == development:
        raise ImproperlyConfigured(f"{name} must be set in production")
    return value


def secret(name: str) -> str:
    """Read a secret."""
    return required(name, development.secret(name))


def development_only(name: str, active: bool) -> None:
    """Refuse a development switch in production."""
    if PRODUCTION and active:
        raise ImproperlyConfigured(f"{name} is a development switch and cannot be used in production")


SECRET_KEY = secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}")

# Key rings: "id:secret" pairs, comma-separated; the first signs or encrypts, all verify or decrypt.
ACCESS_TOKEN_KEYS = env.list("ACCESS_TOKEN_KEYS", default=[f"k1:{secret('ACCESS_TOKEN_SECRET')}"])
FIELD_KEYS = env.list("FIELD_KEYS", default=[f"k1:{secret('FIELD_SECRET')}"])
PIN_PEPPERS = env.list("PIN_PEPPERS", default=[f"1:{secret('PIN_PEPPER')}"])
SEAL_KEYS = env.list("SEAL_KEYS", default=[f"k1:{secret('SEAL_SECRET')}"])
REFRESH_TOKEN_SECRET = secret("REFRESH_TOKEN_SECRET")
ACCESS_TOKEN_LIFETIME = timedelta(minutes=env.int("ACCESS_TOKEN_EXPIRE_MINUTES", default=10))
REFRESH_TOKEN_LIFETIME, REFRESH_GRACE = timedelta(days=30), timedelta(seconds=10)

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "csp",
    "waffle",
    "django_celery_beat",
    "django_structlog",
    "fintech_core",
    "notifications",
    "users",
    "wallet",
    "transactions",
    "cashback",
    "payments",
    "billers",
    "backoffice",
]

MIDDLEWARE = [
    "fintech_core.announcing.Announce",
    "fintech_core.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "csp.middleware.CSPMiddleware",
    "fintech_core.middleware.RequestGuard",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "backoffice.middleware.BusinessTime",
]

ROOT_URLCONF, APPEND_SLASH = "fintech_core.urls", False
WSGI_APPLICATION, ASGI_APPLICATION = "fintech_core.wsgi.application", "fintech_core.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "fintech_core" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Database and Redis: by URL, or embedded out of wheels when no URL is given.
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default=DATABASE_URL)
REDIS_URL = env.str("REDIS_URL", default="")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
EMBEDDED = not (DATABASE_URL and REDIS_URL)
if EMBEDDED:
    if PRODUCTION:
        raise ImproperlyConfigured("DATABASE_URL and REDIS_URL must be set in production")
    from fintech_core import embedded

    _servers = embedded.ensure(LOCAL_DIR)
    DATABASE_OWNER_URL = DATABASE_OWNER_URL or _servers.owner_database_url
    DATABASE_URL = DATABASE_URL or _servers.database_url
    CELERY_BROKER_URL = CELERY_BROKER_URL or _servers.celery_broker_url
    REDIS_URL = REDIS_URL or _servers.redis_url


def database(url: str) -> dict[str, Any]:
    """Describe one PostgreSQL connection: kept open, checked for health, two seconds to connect."""
    config = env.db_url_config(url, engine="fintech_core.database")
    options = config.pop("OPTIONS", {})
    return {
        **config,
        # The folder of a Unix socket stands in the URL's query: it fits no URL's host part.
        "HOST": options.pop("host", config["HOST"]),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            **options,
            "connect_timeout": 2,
            "application_name": env.str("APPLICATION_NAME", default="fintech_core"),
        },
    }


PREPARED_STATEMENTS = env.bool("DATABASE_PREPARED_STATEMENTS", default=True)
DATABASES = {"default": database(DATABASE_URL), "owner": database(DATABASE_OWNER_URL)}
DATABASE_ROUTERS = ["fintech_core.routers.OwnerMigrates"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "fintech_core",
        "OPTIONS": {"CONNECTION_POOL_KWARGS": {"socket_connect_timeout": 1, "socket_timeout": 1}},
    }
}

# Celery: the row is the queue, a task is a doorbell.
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = CELERY_WORKER_REDIRECT_STDOUTS = False  # mails print as they are
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "unacked_restore_limit": 100,
    "unacked_restore_throttle": 1,  # look for a dead worker's messages every 10 s, not every 100
    "queue_order_strategy": "round_robin",
    "global_keyprefix": env.str("CELERY_KEY_PREFIX", default="fintech_core:"),
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

AUTH_USER_MODEL = "users.User"
LOGIN_URL = reverse_lazy("admin:login")

LANGUAGE_CODE, TIME_ZONE = "en", "UTC"
USE_TZ = USE_I18N = True
BUSINESS_TIME_ZONE = "Africa/Lagos"
CURRENCIES = env.list("CURRENCIES", default=["NGN", "USD", "GHS", "KES", "JPY", "KWD"])
DEFAULT_CURRENCY = "NGN"
SECOND_PERSON_ABOVE = amounts("SECOND_PERSON_ABOVE", env.str("SECOND_PERSON_ABOVE", default="NGN=100000"))
PHONENUMBER_DEFAULT_REGION = "NG"
PHONENUMBER_DB_FORMAT = "E164"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS, WHITENOISE_AUTOREFRESH = True, not PRODUCTION  # files are found when asked for
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_HOST, EMAIL_PORT = env.str("EMAIL_HOST", default="localhost"), env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Fintech Core <no-reply@localhost>")

# Security
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
CSRF_FAILURE_VIEW = "fintech_core.views.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_AGE, SESSION_SAVE_EVERY_REQUEST = 1800, True
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # Unfold's Alpine needs unsafe-eval; Swagger UI and ReDoc start from an inline script.
        "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["'self'", "blob:"],
        "frame-ancestors": ["'none'"],
    }
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/"

# Vendors. The sandbox stands in for all of them until a real key and URL are configured.
SANDBOX_URL = env.str("SANDBOX_URL", default="http://127.0.0.1:8100")
PAYSTACK_BASE_URL = required("PAYSTACK_BASE_URL", f"{SANDBOX_URL}/paystack")
PAYSTACK_SECRET_KEY = required("PAYSTACK_SECRET_KEY", "sk_test_fintech_core_development")
PAYSTACK_PREVIOUS_SECRET_KEYS = env.list("PAYSTACK_PREVIOUS_SECRET_KEYS", default=[])
VTPASS_BASE_URL = required("VTPASS_BASE_URL", f"{SANDBOX_URL}/vtpass/api")
VTPASS_API_KEY = required("VTPASS_API_KEY", "test_api_key_fintech_core")
VTPASS_PUBLIC_KEY = required("VTPASS_PUBLIC_KEY", "PK_test_fintech_core")
VTPASS_SECRET_KEY = required("VTPASS_SECRET_KEY", "SK_test_fintech_core")
VTPASS_WEBHOOK_TOKEN = secret("VTPASS_WEBHOOK_TOKEN")
VTPASS_CONTACT_PHONE = required("VTPASS_CONTACT_PHONE", "08011111111")  # for customers without a phone
VERIFIER_BASE_URL = required("VERIFIER_BASE_URL", f"{SANDBOX_URL}/verifier")
VERIFIER_API_KEY = required("VERIFIER_API_KEY", "sk_test_verifier_development")
VENDOR_READ_TIMEOUT_S, WEB_WAIT_LIMIT_S = env.float("VENDOR_READ_TIMEOUT_S", default=30.0), 8.0

# Asked for by /health/detailed and /metrics: always in production, elsewhere when it is set.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Development switches
OTP_MODE = env.str("OTP_MODE", default="live" if PRODUCTION else "sandbox")
RATE_LIMITS = env.str("RATE_LIMITS", default="on") != "off"
CRASH_POINTS_DIR = env.str("CRASH_POINTS_DIR", default="")
development_only("OTP_MODE=sandbox", OTP_MODE == "sandbox")
development_only("RATE_LIMITS=off", not RATE_LIMITS)
development_only("CRASH_POINTS_DIR", bool(CRASH_POINTS_DIR))
development_only("SANDBOX_URL", "SANDBOX_URL" in env.ENVIRON)

from fintech_core.wiring import (  # noqa: E402  the second half: which app serves which name
    AUTH_PASSWORD_VALIDATORS,
    CELERY_BEAT_SCHEDULE,
    CELERY_TASK_ROUTES,
    CORS_ALLOW_HEADERS,
    CORS_EXPOSE_HEADERS,
    EVENT_REACTIONS,
    PASSWORD_HASHERS,
    REST_FRAMEWORK,
    SPECTACULAR_SETTINGS,
    UNFOLD,
    VENDORS,
    WEBHOOK_JOBS,
)

__all__ = [
    "AUTH_PASSWORD_VALIDATORS", "CELERY_BEAT_SCHEDULE", "CELERY_TASK_ROUTES", "CORS_ALLOW_HEADERS",
    "CORS_EXPOSE_HEADERS", "EVENT_REACTIONS", "PASSWORD_HASHERS", "REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "UNFOLD",
    "VENDORS", "WEBHOOK_JOBS",
]  # fmt: skip

# Log lines carry the id and the address that RequestId binds.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID, DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = True, False
LOGGING = logs.configuration(
    level=env.str("LOG_LEVEL", default="INFO"), as_json=PRODUCTION or not sys.stderr.isatty()
)
