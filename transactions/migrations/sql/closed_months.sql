-- Nothing takes effect in a month that is closed, nor before one. Only rows with an effective time pay for the check.

CREATE FUNCTION ledger_check_effective_time() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.effective_at < (
        SELECT (max(m.month) + interval '1 month') AT TIME ZONE 'Africa/Lagos' FROM transactions_closedmonth m
    ) THEN
        PERFORM ledger_refuse('closed_months_stay_closed', 'transaction ' || NEW.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER ledger_effective_time BEFORE INSERT ON transactions_transaction
    FOR EACH ROW WHEN (NEW.effective_at IS NOT NULL) EXECUTE FUNCTION ledger_check_effective_time();
ALTER TABLE transactions_transaction ENABLE ALWAYS TRIGGER ledger_effective_time;

CREATE TRIGGER ledger_closed_months_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions_closedmonth
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('closed_months_are_append_only');
ALTER TABLE transactions_closedmonth ENABLE ALWAYS TRIGGER ledger_closed_months_are_append_only;
