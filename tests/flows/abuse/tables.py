"""What is sent: the money routes with a good body each, and everything that is odd about a value."""

from typing import Any

# A bill that would be good.
BILL = {
    "biller": "ikeja-electric", "product": "prepaid", "customer_id": "{ada_meter}", "amount": "1100.00",
    "phone": "+2348011111111", "pin": "{pin}",
}  # fmt: skip
# Every route that moves money, with a body that would be good.
MONEY: dict[str, dict[str, Any]] = {
    "/transactions/transfer": {"to": "{bola_email}", "amount": "1.00", "pin": "{pin}"},
    "/wallet/fund": {"amount": "100.00"},
    "/payments/intents": {"amount": "100.00"},
    "/cashback/redeem": {"amount": "1.00"},
    "/bills/pay": BILL,
    "/payments/pay-bill": BILL,
}
# Those that only say what it would cost.
QUOTES: dict[str, dict[str, Any]] = {
    "/bills/validate": {name: BILL[name] for name in ("biller", "product", "customer_id", "amount")},
}
PRICED = MONEY | QUOTES
# Where a null amount means that none was sent.
NULL_IS_NOTHING = {"/cashback/redeem", "/bills/validate"}
BILL_ROUTES = ["/bills/pay", "/payments/pay-bill", "/bills/validate"]

# By case: amounts that are none.
AMOUNTS: dict[str, list[Any]] = {
    "8.01": ["0", "0.00", "-0", "-1", "-1.00", "1000000000000000", "1000000000000000.00"],
    "8.03": [1, 1.0, 1e2, 100.5, 0, -5, 10**30, "1e2", "1E2", "1.", ".5", "1.005", "100.000", "1.0.0"],
    "8.05": [True, False, [], {}, "", None, ["1.00"], {"amount": "1.00"}, "1e400", "NaN", "sNaN", "Infinity", "-inf"],
    "8.07": [
        "1_000", "1,000", "1,000.00", " 5 ", " 5", "5 ", "5\n", "\t5", "5\u00a0", "+5", "0x10", "0b1", "0o7", "\u22125",
        "5\u0000", "٥", "５", "²", "Ⅴ", "05", "00", "1/2", "5%", "₦5", "NGN 5", "5.00 NGN", "1'000", "1 000", "\u202e5",
        "5\u200b", "--5", "5-", "(5)", "None", "null", "9" * 900, "0." + "0" * 900 + "1",
    ],
}  # fmt: skip
# A part of them everywhere else; all of them on the transfer.
SOME_AMOUNTS = [
    "0",
    "-1",
    100.5,
    True,
    None,
    "1e2",
    "1.005",
    "NaN",
    "1,000",
    "5\n",
    "٥",
    "5\u0000",
    "9" * 900,
]

CURRENCIES: list[Any] = [
    "ngn", "NGN ", " NGN", "XXX", "ZZZ", "EUR", "N\u0000GN", "", "NGNN", "NG", "₦", "ＮＧＮ", "NGN\n", 566, True,
    ["NGN"], {"code": "NGN"}, "USD;NGN", "../NGN",
]  # fmt: skip

# Texts for a birth date, and for the bounds of a list.
DATES: list[Any] = [
    "2026-02-30", "0000-01-01", "9999-12-31", "٢٠٠٠-٠١-٠١", "1990-5-1", "19900501", "1990-05-01T00:00:00Z",
    "01/05/1990", "1990-05-01\n", " 1990-05-01", "1990-W18-2", "1990-121", "", "now", "-1990-05-01", 19900501, None,
    [], True, "1990-05-01\u0000", "2999-01-01", "1800-01-01",
]  # fmt: skip
INSTANTS = [
    "2026-02-30", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00%2B23:59", "%D9%A2%D9%A0%D9%A2%D9%A6-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01",
    "2026-01-01T24:00:00Z", "2026-01-01T00:00:00%2B25:00", "2026-01-01T00:00:60Z", "20260101T000000Z", "now",
    "1767225600", "", "null", "2026-01-01T00:00:00Z%0A", "%202026-01-01T00:00:00Z", "2026-W01-1T00:00:00Z",
]  # fmt: skip

# Fields that a client must never set, whatever the route.
FORBIDDEN = {
    "is_staff": True, "is_superuser": True, "is_active": True, "tier": 3, "kyc_tier": 3, "balance": "1000000.00",
    "groups": [1], "user_permissions": [1], "id": "5", "user": "{bola_wallet}", "user_id": "5", "owner": "5",
    "created_at": "2020-01-01T00:00:00Z", "email_verified": True, "__proto__": {"is_staff": True}, "constructor": {},
}  # fmt: skip
OF_MONEY = {
    "from_wallet": "{bola_wallet}", "wallet": "{bola_wallet}", "wallet_id": "{bola_wallet}", "source": "{bola_wallet}",
    "sender": "{bola_email}", "user_id": "5", "fee": "0.00", "total": "0.01", "status": "completed", "reference": "x",
    "type": "adjustment", "cashback_bps": 10000, "cashback": "1000.00", "discount": "999.00", "price": "0.01",
    "rate": "0.01", "transaction_id": "5", "amount_minor": 1, "dry_run": True, "step_up_token": "x",
}  # fmt: skip
