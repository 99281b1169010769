-- The new rule before the old one goes: whatever is stored keeps the old one, so it keeps this one, too. Rows without a
-- sender carry references of ours, and stay unique among themselves.
ALTER TABLE transactions_transaction
    ADD CONSTRAINT transaction_reference_once_per_sender UNIQUE NULLS NOT DISTINCT (reference, from_user_id);
ALTER TABLE transactions_transaction DROP CONSTRAINT transactions_transaction_reference_key;
-- Made by Django beside every unique text, for searches by how it begins; there are none.
DROP INDEX transactions_transaction_reference_65ce6e73_like;
