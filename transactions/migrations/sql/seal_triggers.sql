-- A seal is written once and stays: the chain is worth as much as its oldest link.
CREATE TRIGGER ledger_seals_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_ledgerseal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('seals_are_append_only');
ALTER TABLE transactions_ledgerseal ENABLE ALWAYS TRIGGER ledger_seals_are_append_only;
