-- What the baselines stand on, beside the product's own tables: a name for a numbered wallet, the transfer as one
-- function, and copies of the tables with their constraints and indexes and without our triggers.

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;

CREATE FUNCTION bench.wallet(number int) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN ('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid;
CREATE FUNCTION bench.person(number int) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN ('00000000-0000-7000-8f00-' || lpad(number::text, 12, '0'))::uuid;

CREATE TABLE bench.wallet (LIKE wallet_wallet INCLUDING ALL);
ALTER TABLE bench.wallet SET (fillfactor = 70);
INSERT INTO bench.wallet SELECT * FROM wallet_wallet;
CREATE TABLE bench.movement (LIKE transactions_transaction INCLUDING ALL);
ALTER TABLE bench.movement ADD FOREIGN KEY (from_wallet_id) REFERENCES bench.wallet,
                           ADD FOREIGN KEY (to_wallet_id) REFERENCES bench.wallet;
CREATE TABLE bench.entry (LIKE transactions_ledgerentry INCLUDING ALL);
ALTER TABLE bench.entry ADD FOREIGN KEY (transaction_id) REFERENCES bench.movement,
                        ADD FOREIGN KEY (wallet_id) REFERENCES bench.wallet;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bench TO PUBLIC;

-- The physical limit: lock, move and write down in one call.
CREATE FUNCTION bench.transfer(payer int, payee int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    source uuid := bench.wallet(payer);
    target uuid := bench.wallet(payee);
    account bigint := (SELECT id FROM transactions_ledgeraccount
                       WHERE code = 'customer_wallets' AND currency = 'NGN');
    movement uuid := uuidv7();
BEGIN
    PERFORM 1 FROM wallet_wallet WHERE id IN (source, target) ORDER BY id FOR NO KEY UPDATE;
    WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at,
                                           (clock_timestamp() AT TIME ZONE 'Africa/Lagos')::date AS today),
    moved AS (
        UPDATE wallet_wallet w
        SET balance = w.balance + CASE w.id WHEN source THEN -1 ELSE 1 END, version = w.version + 1,
            last_entry_at = moment.at,
            spent_today = CASE WHEN w.id <> source THEN w.spent_today
                               WHEN w.spent_on = moment.today THEN w.spent_today + 1 ELSE 1 END,
            spent_this_month = CASE WHEN w.id <> source THEN w.spent_this_month
                                    WHEN date_trunc('month', w.spent_on) = date_trunc('month', moment.today)
                                    THEN w.spent_this_month + 1 ELSE 1 END,
            spent_on = CASE WHEN w.id = source THEN moment.today ELSE w.spent_on END
        FROM moment WHERE w.id IN (source, target)
        RETURNING w.id, w.balance, w.version
    ),
    made AS (
        INSERT INTO transactions_transaction (
            id, reference, type, status, currency, amount, fee, from_wallet_id, to_wallet_id, from_user_id, to_user_id,
            initiated_by_id, description, metadata, source_kind, converted_currency, failure_code, created_at,
            completed_at)
        SELECT movement, 'TRX-' || movement, 'transfer', 'completed', 'NGN', 1, 0, source, target, bench.person(payer),
               bench.person(payee), bench.person(payer), '', '{}', '', '', '', moment.at, moment.at
        FROM moment
    )
    INSERT INTO transactions_ledgerentry (
        transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
        created_at)
    SELECT movement, account, moved.id, CASE moved.id WHEN source THEN 'debit' ELSE 'credit' END, 1, 'NGN',
           moved.balance, moved.version, moment.at
    FROM moved, moment;
END
$$;
