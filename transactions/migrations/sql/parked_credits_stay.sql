-- Money that came for somebody and had to wait is not forgotten, and does not become another's or another amount.
CREATE TRIGGER ledger_parked_credits_stay
    BEFORE DELETE OR TRUNCATE ON transactions_parkedcredit
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('parked_credits_stay');
ALTER TABLE transactions_parkedcredit ENABLE ALWAYS TRIGGER ledger_parked_credits_stay;

-- An instant at which it was released or reversed may be written once, with its status.
CREATE TRIGGER ledger_parked_credit_keeps_its_terms
    BEFORE UPDATE ON transactions_parkedcredit
    FOR EACH ROW WHEN (((OLD.id, OLD.owner_id, OLD.wallet_id, OLD.parked_by_id, OLD.type, OLD.amount, OLD.currency,
                         OLD.reason, OLD.created_at)
                        IS DISTINCT FROM
                        (NEW.id, NEW.owner_id, NEW.wallet_id, NEW.parked_by_id, NEW.type, NEW.amount, NEW.currency,
                         NEW.reason, NEW.created_at))
                       OR (OLD.released_at IS NOT NULL AND NEW.released_at IS DISTINCT FROM OLD.released_at)
                       OR (OLD.reversed_at IS NOT NULL AND NEW.reversed_at IS DISTINCT FROM OLD.reversed_at))
    EXECUTE FUNCTION ledger_refuse_change('parked_credit_keeps_its_terms');
ALTER TABLE transactions_parkedcredit ENABLE ALWAYS TRIGGER ledger_parked_credit_keeps_its_terms;
