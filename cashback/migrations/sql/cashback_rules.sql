-- What staff and code may not do to an offer that people were told, or to what it gave: refused by the database itself.
-- The triggers are ENABLE ALWAYS and speak through ledger_refuse, as those of the ledger do.

-- Campaigns ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION cashback_check_campaign() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    allowed cashback_campaign%ROWTYPE := OLD;
BEGIN
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN
       (('draft', 'running'), ('draft', 'ended'), ('running', 'paused'), ('running', 'ended'),
        ('paused', 'running'), ('paused', 'ended')) THEN
        PERFORM ledger_refuse('campaign_moves_as_declared', OLD.status || ' to ' || NEW.status);
    END IF;
    IF (NEW.id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.created_at) THEN
        PERFORM ledger_refuse('campaign_identity_never_changes', 'campaign ' || OLD.id);
    END IF;
    -- A draft was told to nobody. Whatever ran keeps its terms, so that each reward can be explained for ever.
    allowed.status := NEW.status;
    allowed.spent := NEW.spent;
    IF OLD.status <> 'draft' AND NEW IS DISTINCT FROM allowed THEN
        PERFORM ledger_refuse('campaign_terms_stay', 'campaign ' || OLD.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER cashback_campaign_terms BEFORE UPDATE ON cashback_campaign
    FOR EACH ROW EXECUTE FUNCTION cashback_check_campaign();
ALTER TABLE cashback_campaign ENABLE ALWAYS TRIGGER cashback_campaign_terms;

CREATE TRIGGER cashback_campaigns_begin_unspent BEFORE INSERT ON cashback_campaign
    FOR EACH ROW WHEN (NEW.spent <> 0) EXECUTE FUNCTION ledger_refuse_row('campaigns_begin_unspent');
ALTER TABLE cashback_campaign ENABLE ALWAYS TRIGGER cashback_campaigns_begin_unspent;

CREATE TRIGGER cashback_campaigns_stay BEFORE DELETE OR TRUNCATE ON cashback_campaign
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('campaigns_stay');
ALTER TABLE cashback_campaign ENABLE ALWAYS TRIGGER cashback_campaigns_stay;

-- Rewards ------------------------------------------------------------------------------------------------------------

CREATE TRIGGER cashback_rewards_begin_pending BEFORE INSERT ON cashback_reward
    FOR EACH ROW WHEN (NEW.status <> 'pending') EXECUTE FUNCTION ledger_refuse_row('rewards_begin_pending');
ALTER TABLE cashback_reward ENABLE ALWAYS TRIGGER cashback_rewards_begin_pending;

CREATE FUNCTION cashback_check_reward() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    allowed cashback_reward%ROWTYPE := OLD;
BEGIN
    IF (OLD.status, NEW.status) NOT IN (('pending', 'earned'), ('pending', 'dropped'), ('earned', 'cancelled')) THEN
        PERFORM ledger_refuse('reward_moves_as_declared', OLD.status || ' to ' || NEW.status);
    END IF;
    allowed.status := NEW.status;
    IF NEW.status = 'earned' THEN
        allowed.amount := NEW.amount;
        allowed.transaction_id := NEW.transaction_id;
        IF NEW.amount > OLD.amount THEN
            PERFORM ledger_refuse('reward_is_only_trimmed', 'reward ' || OLD.id);
        END IF;
    END IF;
    IF NEW IS DISTINCT FROM allowed THEN
        PERFORM ledger_refuse('reward_facts_never_change', 'reward ' || OLD.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER cashback_reward_moves BEFORE UPDATE ON cashback_reward
    FOR EACH ROW EXECUTE FUNCTION cashback_check_reward();
ALTER TABLE cashback_reward ENABLE ALWAYS TRIGGER cashback_reward_moves;

CREATE TRIGGER cashback_rewards_stay BEFORE DELETE OR TRUNCATE ON cashback_reward
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change('rewards_stay');
ALTER TABLE cashback_reward ENABLE ALWAYS TRIGGER cashback_rewards_stay;

-- Reward, budget and posting commit together: who writes a reward and posts nothing is stopped at COMMIT.
CREATE FUNCTION cashback_check_decided() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cashback_reward r WHERE r.id = NEW.id AND r.status = 'pending') THEN
        PERFORM ledger_refuse('reward_is_decided_at_commit', 'reward ' || NEW.id);
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER cashback_reward_is_decided AFTER INSERT ON cashback_reward
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cashback_check_decided();
ALTER TABLE cashback_reward ENABLE ALWAYS TRIGGER cashback_reward_is_decided;
