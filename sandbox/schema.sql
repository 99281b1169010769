-- The sandbox's own book: what the vendors "did", what they sent, and what was asked of them.
-- Times are ISO 8601 in sandbox time, amounts integers in the minor unit. Ids are never used twice, not even
-- after a reset: a client may have written them into a ledger that the reset does not reach.

CREATE TABLE IF NOT EXISTS meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS webhook_urls (
    vendor TEXT PRIMARY KEY,
    url    TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS paystack_transactions (
    id               INTEGER PRIMARY KEY,
    reference        TEXT NOT NULL UNIQUE,
    access_code      TEXT NOT NULL UNIQUE,
    secret_key       TEXT NOT NULL,
    email            TEXT NOT NULL,
    amount           INTEGER NOT NULL,
    requested_amount INTEGER NOT NULL,
    currency         TEXT NOT NULL,
    status           TEXT NOT NULL,
    gateway_response TEXT NOT NULL,
    fees             INTEGER,
    channel          TEXT NOT NULL,
    callback_url     TEXT,
    metadata         TEXT NOT NULL,
    ip_address       TEXT NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    payments         INTEGER NOT NULL DEFAULT 0,
    created_at       TEXT NOT NULL,
    paid_at          TEXT
);

CREATE TABLE IF NOT EXISTS vtpass_orders (
    request_id      TEXT PRIMARY KEY,
    transaction_id  TEXT NOT NULL UNIQUE,
    service_id      TEXT NOT NULL,
    variation_code  TEXT,
    billers_code    TEXT NOT NULL,
    phone           TEXT NOT NULL,
    amount_kobo     INTEGER NOT NULL,
    commission_kobo INTEGER NOT NULL,
    status          TEXT NOT NULL,
    requeries       INTEGER NOT NULL DEFAULT 0,
    delivered       INTEGER NOT NULL DEFAULT 0,
    created_at      TEXT NOT NULL,
    resolved_at     TEXT
);

CREATE TABLE IF NOT EXISTS verifier_checks (
    reference     TEXT PRIMARY KEY,
    document_type TEXT NOT NULL,
    number_hash   TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    status        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    created_at    TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS faults (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    vendor      TEXT NOT NULL,
    operation   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    times       INTEGER,
    probability REAL NOT NULL,
    seed        INTEGER NOT NULL,
    match       TEXT NOT NULL,
    seconds     REAL,
    seen        INTEGER NOT NULL DEFAULT 0,
    fired       INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    vendor           TEXT NOT NULL,
    event            TEXT NOT NULL,
    subject          TEXT NOT NULL,
    url              TEXT NOT NULL,
    headers          TEXT NOT NULL,
    body             BLOB NOT NULL,
    status           TEXT NOT NULL,
    faults           TEXT NOT NULL,
    waits_for_next   INTEGER NOT NULL DEFAULT 0,
    attempts         INTEGER NOT NULL DEFAULT 0,
    due_at           TEXT NOT NULL,
    created_at       TEXT NOT NULL,
    response_status  INTEGER,
    response_body    TEXT,
    error            TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (status, due_at);

CREATE TABLE IF NOT EXISTS requests (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        TEXT NOT NULL,
    vendor    TEXT NOT NULL,
    operation TEXT NOT NULL,
    method    TEXT NOT NULL,
    path      TEXT NOT NULL,
    headers   TEXT NOT NULL,
    body      TEXT NOT NULL,
    status    INTEGER,
    fault     TEXT
);
