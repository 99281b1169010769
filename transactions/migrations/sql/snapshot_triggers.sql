-- A snapshot of an account's balance is what later balances begin from: it is written once and stays.
CREATE TRIGGER ledger_snapshots_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_balancesnapshot
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('snapshots_are_append_only');
ALTER TABLE transactions_balancesnapshot ENABLE ALWAYS TRIGGER ledger_snapshots_are_append_only;
