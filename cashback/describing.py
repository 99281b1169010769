"""Rewards for people who look into a movement."""

from uuid import UUID

from cashback.models import Reward
from fintech_core.documents import Document


def describe_reward(reward_id: UUID) -> Document | None:
    """Describe a reward with its campaign and what earned it."""
    reward = Reward.objects.select_related("campaign").filter(pk=reward_id).first()
    if reward is None:
        return None
    facts = {
        "id": str(reward.pk),
        "campaign": str(reward.campaign),
        "for": f"{reward.trigger_kind} {reward.trigger_id}",
        "status": reward.status,
    }
    return Document("Reward", facts)
