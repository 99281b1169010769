CREATE OR REPLACE FUNCTION ledger_check_wallets() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    offender text;
BEGIN
    SELECT n.id::text INTO offender
    FROM fresh n
    JOIN stale o ON o.id = n.id
    LEFT JOIN transactions_ledgerentry e ON e.wallet_id = n.id AND e.wallet_version = n.version
    WHERE (n.balance, n.version) IS DISTINCT FROM (o.balance, o.version)
          AND (n.version <= o.version OR e.wallet_balance_after IS DISTINCT FROM n.balance)
       OR n.last_entry_at IS DISTINCT FROM o.last_entry_at AND e.created_at IS DISTINCT FROM n.last_entry_at
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('wallet_shows_its_last_entry', 'wallet ' || offender);
    END IF;

    SELECT n.id::text INTO offender
    FROM fresh n
    JOIN stale o ON o.id = n.id
    WHERE n.held <> o.held
      AND n.held <> (SELECT coalesce(sum(p.hold_amount), 0) FROM transactions_transaction p
                     WHERE p.from_wallet_id = n.id AND p.status = 'pending')
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('held_is_the_sum_of_holds', 'wallet ' || offender);
    END IF;
    RETURN NULL;
END
$$;
