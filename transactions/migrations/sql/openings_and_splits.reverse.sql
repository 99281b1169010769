DROP TRIGGER ledger_openings_stay ON wallet_wallet;
DROP TRIGGER ledger_openings_are_numbered ON wallet_wallet;
DROP FUNCTION ledger_number_opening();

CREATE OR REPLACE FUNCTION ledger_number_hold() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.hold_number := nextval('transactions_two_phase_seq');
    RETURN NEW;
END
$$;
