-- What the ledger must never be, refused by the database itself, whoever asks: the triggers are ENABLE ALWAYS.
--
-- A posting writes transactions, entries and wallets in one statement, so every statement-level trigger below fires
-- when all three are there and can check the whole. The checking functions switch off sequential scans and hash
-- joins for themselves: PL/pgSQL keeps the plan of a session's first batch, and a bulk posting that came first would
-- make every later single one scan the table.

-- Entries ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION ledger_refuse(rule text, detail text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = rule, MESSAGE = rule || ': ' || detail;
END
$$;

CREATE FUNCTION ledger_check_new_entries() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    offender text;
BEGIN
    SELECT e.transaction_id::text INTO offender
    FROM fresh e
    GROUP BY e.transaction_id, e.currency
    HAVING sum(CASE e.direction WHEN 'debit' THEN e.amount ELSE -e.amount END) <> 0
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('entries_sum_to_zero', 'transaction ' || offender);
    END IF;

    -- Each transaction gets its entries once, in one statement, and is completed when that statement ends.
    SELECT batch.transaction_id::text INTO offender
    FROM (SELECT e.transaction_id, count(*) AS lines FROM fresh e GROUP BY e.transaction_id) batch
    LEFT JOIN transactions_transaction t ON t.id = batch.transaction_id
    WHERE t.status IS DISTINCT FROM 'completed'
       OR batch.lines <> (SELECT count(*) FROM transactions_ledgerentry e WHERE e.transaction_id = batch.transaction_id)
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('entries_come_once_and_completed', 'transaction ' || offender);
    END IF;

    -- The account is of the entry's currency, and a control account exactly for wallets of its kind.
    SELECT e.id::text INTO offender
    FROM fresh e
    LEFT JOIN transactions_ledgeraccount a ON a.id = e.account_id
    LEFT JOIN wallet_wallet w ON w.id = e.wallet_id
    WHERE a.currency IS DISTINCT FROM e.currency
       OR a.wallet_kind <> coalesce(w.kind, '')
       OR (e.wallet_id IS NOT NULL AND w.currency IS DISTINCT FROM e.currency)
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('entry_fits_its_account', 'entry ' || offender);
    END IF;

    -- A wallet's entries follow each other without a gap, each balance from the one before, never back in time.
    SELECT e.id::text INTO offender
    FROM fresh e
    LEFT JOIN transactions_ledgerentry p ON p.wallet_id = e.wallet_id AND p.wallet_version = e.wallet_version - 1
    WHERE e.wallet_id IS NOT NULL
      AND ((e.wallet_version > 1 AND p.id IS NULL)
           OR p.created_at > e.created_at
           OR e.wallet_balance_after IS DISTINCT FROM coalesce(p.wallet_balance_after, 0)
              + CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END)
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('entry_follows_the_one_before', 'entry ' || offender);
    END IF;

    SELECT tip.wallet_id::text INTO offender
    FROM (
        SELECT DISTINCT ON (e.wallet_id) e.wallet_id, e.wallet_version, e.wallet_balance_after, e.created_at
        FROM fresh e
        WHERE e.wallet_id IS NOT NULL
        ORDER BY e.wallet_id, e.wallet_version DESC
    ) tip
    LEFT JOIN wallet_wallet w ON w.id = tip.wallet_id
    WHERE w.version IS DISTINCT FROM tip.wallet_version
       OR w.balance <> tip.wallet_balance_after
       OR w.last_entry_at IS DISTINCT FROM tip.created_at
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('wallet_shows_its_last_entry', 'wallet ' || offender);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_new_entries AFTER INSERT ON transactions_ledgerentry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_new_entries();
ALTER TABLE transactions_ledgerentry ENABLE ALWAYS TRIGGER ledger_new_entries;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger_refuse(TG_ARGV[0], TG_OP || ' on ' || TG_TABLE_NAME);
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_entries_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('entries_are_append_only');
ALTER TABLE transactions_ledgerentry ENABLE ALWAYS TRIGGER ledger_entries_are_append_only;

-- Transactions -------------------------------------------------------------------------------------------------------

CREATE FUNCTION ledger_check_transactions() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    offender text;
BEGIN
    SELECT t.id::text INTO offender
    FROM fresh t
    WHERE t.status = 'completed'
      AND NOT EXISTS (SELECT 1 FROM transactions_ledgerentry e WHERE e.transaction_id = t.id)
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('completed_has_entries', 'transaction ' || offender);
    END IF;

    -- Whenever a hold is made or resolved, its wallet holds the sum of what is still pending.
    SELECT w.id::text INTO offender
    FROM fresh t
    JOIN wallet_wallet w ON w.id = t.from_wallet_id
    WHERE t.hold_amount IS NOT NULL
      AND w.held <> (SELECT coalesce(sum(p.hold_amount), 0) FROM transactions_transaction p
                     WHERE p.from_wallet_id = w.id AND p.status = 'pending')
    LIMIT 1;
    IF FOUND THEN
        PERFORM ledger_refuse('held_is_the_sum_of_holds', 'wallet ' || offender);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_new_transactions AFTER INSERT ON transactions_transaction
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_transactions();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_new_transactions;

CREATE TRIGGER ledger_resolved_transactions AFTER UPDATE ON transactions_transaction
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_transactions();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_resolved_transactions;

CREATE FUNCTION ledger_check_new_transaction() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger_refuse('transaction_is_born_pending_or_completed', 'transaction ' || NEW.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_born_statuses BEFORE INSERT ON transactions_transaction
    FOR EACH ROW WHEN (NEW.status NOT IN ('pending', 'completed')) EXECUTE FUNCTION ledger_check_new_transaction();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_born_statuses;

CREATE FUNCTION ledger_check_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    allowed transactions_transaction%ROWTYPE := OLD;
BEGIN
    IF OLD.status <> 'pending' OR NEW.status NOT IN ('completed', 'failed', 'cancelled') THEN
        PERFORM ledger_refuse('final_transactions_never_change', 'transaction ' || OLD.id);
    END IF;
    allowed.status := NEW.status;
    allowed.completed_at := NEW.completed_at;
    IF NEW.status = 'completed' THEN
        allowed.amount := NEW.amount;
        allowed.fee := NEW.fee;
        IF NEW.amount + NEW.fee > OLD.hold_amount THEN
            PERFORM ledger_refuse('capture_within_the_hold', 'transaction ' || OLD.id);
        END IF;
    ELSE
        allowed.failure_code := NEW.failure_code;
    END IF;
    IF NEW IS DISTINCT FROM allowed THEN
        PERFORM ledger_refuse('transaction_facts_never_change', 'transaction ' || OLD.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_transitions BEFORE UPDATE ON transactions_transaction
    FOR EACH ROW EXECUTE FUNCTION ledger_check_transition();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_transitions;

CREATE TRIGGER ledger_transactions_stay BEFORE DELETE OR TRUNCATE ON transactions_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('transactions_stay');
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_transactions_stay;

-- Wallets ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION ledger_check_wallets() RETURNS trigger
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

CREATE TRIGGER ledger_changed_wallets AFTER UPDATE ON wallet_wallet
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_wallets();
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_changed_wallets;

CREATE FUNCTION ledger_refuse_row() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger_refuse(TG_ARGV[0], TG_OP || ' on ' || TG_TABLE_NAME);
    RETURN NULL;
END
$$;

CREATE TRIGGER ledger_wallets_begin_empty BEFORE INSERT ON wallet_wallet
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.held <> 0 OR NEW.version <> 0 OR NEW.last_entry_at IS NOT NULL)
    EXECUTE FUNCTION ledger_refuse_row('wallets_begin_empty');
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_wallets_begin_empty;

CREATE TRIGGER ledger_wallet_identity BEFORE UPDATE OF id, owner_id, kind, currency ON wallet_wallet
    FOR EACH ROW WHEN ((OLD.id, OLD.owner_id, OLD.kind, OLD.currency)
                       IS DISTINCT FROM (NEW.id, NEW.owner_id, NEW.kind, NEW.currency))
    EXECUTE FUNCTION ledger_refuse_row('wallet_identity_never_changes');
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_wallet_identity;

CREATE TRIGGER ledger_wallets_stay BEFORE DELETE OR TRUNCATE ON wallet_wallet
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('wallets_stay');
ALTER TABLE wallet_wallet ENABLE ALWAYS TRIGGER ledger_wallets_stay;

-- Accounts -----------------------------------------------------------------------------------------------------------

CREATE TRIGGER ledger_account_identity
    BEFORE UPDATE OF id, code, type, currency, wallet_kind ON transactions_ledgeraccount
    FOR EACH ROW WHEN ((OLD.id, OLD.code, OLD.type, OLD.currency, OLD.wallet_kind)
                       IS DISTINCT FROM (NEW.id, NEW.code, NEW.type, NEW.currency, NEW.wallet_kind))
    EXECUTE FUNCTION ledger_refuse_row('account_identity_never_changes');
ALTER TABLE transactions_ledgeraccount ENABLE ALWAYS TRIGGER ledger_account_identity;

CREATE TRIGGER ledger_accounts_stay BEFORE DELETE OR TRUNCATE ON transactions_ledgeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('accounts_stay');
ALTER TABLE transactions_ledgeraccount ENABLE ALWAYS TRIGGER ledger_accounts_stay;

-- Wallet pages keep room for the next version of a row, so that an update stays on its page (HOT).
ALTER TABLE wallet_wallet SET (fillfactor = 70);
