-- The table of before cannot say that a credit was reversed, and would have it released.
DO $$
BEGIN
    IF EXISTS (SELECT FROM transactions_parkedcredit WHERE status = 'reversed') THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'reversed_credits_stay',
            MESSAGE = 'reversed_credits_stay: there are parked credits that were reversed';
    END IF;
END
$$;

DROP TRIGGER ledger_reversed_credit ON transactions_transaction;
DROP TRIGGER ledger_parked_credit ON transactions_parkedcredit;
DROP FUNCTION ledger_check_reversed_credit();
DROP FUNCTION ledger_check_parked_credit();
