"""Wiring by name: which app serves which route, event, vendor and schedule.

Imports go downwards only; what must point upwards is a name in this file. Read by ``settings.py``.
"""

from datetime import timedelta
from typing import Any

# Event type -> jobs that react to it. The event row is the queue; each job finds its work in its own rows.
EVENT_REACTIONS: dict[str, list[str]] = {
    "kyc.approved": ["transactions.release_parked_credits"],
    "wallet.unfrozen": ["transactions.release_parked_credits"],
    "transaction.reversed": ["cashback.take_back_rewards", "billers.mark_reversed_payments"],
    "transaction.refunded": ["cashback.take_back_rewards", "billers.mark_reversed_payments"],
}

# Vendors by the name that the API and the documents use.
VENDORS: dict[str, dict[str, str]] = {
    "gateway": {"paystack": "payments.providers.paystack.Paystack"},
    "biller": {"vtpass": "billers.providers.vtpass.VTpass"},
    "rates": {"table": "transactions.exchange.rates.StaffTable"},
    "verifier": {"sandbox": "users.verifiers.http.HttpVerifier"},
}

# (vendor, event family) -> the job that acts on a stored webhook. A family that is not listed is ignored.
WEBHOOK_JOBS: dict[tuple[str, str], str] = {
    ("paystack", "charge"): "payments.process_webhook_async",
    ("vtpass", "transaction-update"): "billers.process_vendor_hint",
}

# Queues: one per vendor, each served by its own small thread pool, so that a slow vendor blocks nobody else.
CELERY_TASK_ROUTES: dict[str, dict[str, str]] = {
    "payments.start_checkout": {"queue": "paystack"},
    "payments.process_webhook_async": {"queue": "paystack"},
    "payments.check_intent": {"queue": "paystack"},
    "billers.send": {"queue": "vtpass"},
    "billers.check": {"queue": "vtpass"},
    "billers.process_vendor_hint": {"queue": "vtpass"},
    "users.verify_kyc": {"queue": "verifier"},
}


def every(seconds: float, task: str) -> dict[str, Any]:
    """Describe a beat entry; a tick that nobody took in time is dropped, since the rows stay due."""
    return {
        "task": task,
        "schedule": timedelta(seconds=seconds),
        "options": {"expires": max(seconds * 2, 10)},
    }


CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "heartbeat": every(15, "fintech_core.beat_heartbeat"),
    "relay events": every(5, "notifications.relay_events"),
    "deliver messages": every(15, "notifications.deliver_messages"),
    "sweep payment intents": every(10, "payments.sweep_intents"),
    "sweep webhook events": every(10, "payments.sweep_webhook_events"),
    "clean up old webhook events": every(86_400, "payments.cleanup_old_webhook_events"),
    "sweep bill payments": every(5, "billers.sweep_bill_payments"),
    "mark reversed bills": every(300, "billers.sweep_reversed_payments"),
    "sweep identity checks": every(15, "users.sweep_kyc"),
    "forget ended sessions": every(86_400, "users.forget_ended_sessions"),
    "sweep bulk transfers": every(10, "transactions.sweep_bulk_transfers"),
    "expire holds": every(30, "transactions.expire_holds"),
    "release parked credits": every(300, "transactions.sweep_parked_credits"),
    "take back rewards": every(300, "cashback.sweep_reversed_payments"),
    "take balance snapshots": every(60, "transactions.take_balance_snapshots"),
    "check floats": every(60, "transactions.check_floats"),
    "seal the ledger": every(60, "transactions.seal_ledger"),
    "verify the ledger": every(600, "transactions.verify_ledger"),
    "forget quotes of conversions": every(86_400, "transactions.forget_quotes"),
    "clean up idempotency records": every(86_400, "fintech_core.cleanup_idempotency_records"),
}

# The first hashes, the others verify what they once hashed and are replaced at the next sign-in.
PASSWORD_HASHERS: list[str] = [
    "fintech_core.hashers.Argon2id",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# What an app of another origin may send and read.
CORS_ALLOW_HEADERS: list[str] = [
    "accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "prefer", "x-device-id",
    "x-request-id",
]  # fmt: skip
CORS_EXPOSE_HEADERS: list[str] = [
    "Idempotent-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID", "ETag", "Location",
]  # fmt: skip

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.authentication.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["fintech_core.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "fintech_core.pagination.NewestFirst",
    "DEFAULT_THROTTLE_CLASSES": ["fintech_core.throttling.RouteThrottle"],
    "DEFAULT_SCHEMA_CLASS": "fintech_core.openapi.Schema",
    # DRF's own description wants one serializer a view, and fails without it; ApiViewSet.options names the methods.
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "fintech_core.exceptions.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "COERCE_DECIMAL_TO_STRING": True,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Fintech Core API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Wallets over a double-entry ledger: funding, transfers, bills, cashback.",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "TAGS": [
        {"name": "auth", "description": "Sign up, sign in, sessions"},
        {"name": "users", "description": "The customer's own profile, PIN and identity"},
        {"name": "profile", "description": "What the customer's tier allows"},
        {"name": "wallet", "description": "Balances and wallets"},
        {"name": "payments", "description": "Money in through gateways"},
        {"name": "transactions", "description": "Sending money, and what happened to it"},
        {"name": "billers", "description": "Who can be paid, what for, and how they do"},
        {"name": "bills", "description": "Validating and paying bills"},
        {"name": "cashback", "description": "Rewards and redeeming them"},
        {"name": "notifications", "description": "The inbox"},
        {"name": "events", "description": "What may happen, and what each event carries"},
        {"name": "staff", "description": "For staff with the permission"},
        {"name": "webhooks in", "description": "For vendors alone"},
        {"name": "sandbox", "description": "For development alone"},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "fintech_core.openapi.add_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "BillStatusEnum": "billers.enums.BillStatus",
        "BillerCategoryEnum": "billers.enums.Category",
        "DirectionEnum": "transactions.enums.Direction",
        "IntentStatusEnum": "payments.enums.IntentStatus",
        "KycCaseStatusEnum": "users.enums.KycStatus",
        "RewardStatusEnum": "cashback.enums.RewardStatus",
        "TransactionStatusEnum": "transactions.enums.TransactionStatus",
        "WalletKindEnum": "wallet.enums.WalletKind",
        "WalletStatusEnum": "wallet.enums.WalletStatus",
    },
    "SWAGGER_UI_SETTINGS": {
        "persistAuthorization": True,
        "deepLinking": True,
        "filter": True,
        "validatorUrl": None,
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Fintech Core",
    "SITE_HEADER": "Fintech Core",
    "SITE_SYMBOL": "account_balance_wallet",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "fintech_core.admin.environment_label",
    "DASHBOARD_CALLBACK": "backoffice.figures.show",
    "LOGIN": {"form": "users.forms.StaffSignInForm"},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "backoffice.sidebar.icon"}],
    "STYLES": ["backoffice.sidebar.stylesheet"],
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "backoffice.sidebar.navigation",
    },
}
