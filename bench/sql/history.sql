-- One wave of history, as the owner: every plain person sends 1.00 to the one :step places further on, so that each
-- wallet gets a debit and then a credit, and has what it had. The triggers check all of it, as in any posting.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS at, (clock_timestamp() AT TIME ZONE 'Africa/Lagos')::date AS today, pg_current_xact_id()
),
pairs AS MATERIALIZED (
    SELECT n AS payer, 1 + (n - 1 + %(step)s) %% %(people)s AS payee, uuidv7() AS movement
    FROM generate_series(1, %(people)s) n
),
made AS (
    INSERT INTO transactions_transaction (
        id, reference, type, status, currency, amount, fee, from_wallet_id, to_wallet_id, from_user_id, to_user_id,
        initiated_by_id, description, metadata, source_kind, converted_currency, failure_code, created_at, completed_at)
    SELECT movement, 'TRX-' || movement, 'transfer', 'completed', 'NGN', 1, 0, bench.wallet(payer), bench.wallet(payee),
           bench.person(payer), bench.person(payee), bench.person(payer), '', '{}', '', '', '', at, at
    FROM pairs, moment
),
moved AS (
    UPDATE wallet_wallet w
    SET version = w.version + 2, last_entry_at = moment.at, spent_on = moment.today,
        spent_today = CASE WHEN w.spent_on = moment.today THEN w.spent_today + 1 ELSE 1 END,
        spent_this_month = CASE WHEN date_trunc('month', w.spent_on) = date_trunc('month', moment.today)
                                THEN w.spent_this_month + 1 ELSE 1 END
    FROM moment, pairs WHERE w.id = bench.wallet(pairs.payer)
    RETURNING w.id, w.balance, w.version
),
lines AS (
    SELECT p.movement, m.id, 'debit' AS direction, m.balance - 1 AS after, m.version - 1 AS version
    FROM pairs p JOIN moved m ON m.id = bench.wallet(p.payer)
    UNION ALL
    SELECT p.movement, m.id, 'credit', m.balance, m.version
    FROM pairs p JOIN moved m ON m.id = bench.wallet(p.payee)
)
INSERT INTO transactions_ledgerentry (
    transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version, created_at)
SELECT l.movement, a.id, l.id, l.direction, 1, 'NGN', l.after, l.version, moment.at
FROM moment, lines l, transactions_ledgeraccount a
WHERE a.code = 'customer_wallets' AND a.currency = 'NGN'
