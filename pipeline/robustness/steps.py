"""How many steps the evaluation of a defence has, so that whoever waits can be shown how far it is.

A step is what :class:`~pipeline.robustness.evaluate.Evaluation` tells of: the threshold, a corruption, an
attack with its goal and budget. Steps are counted, not timed: some take seconds, some minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.robustness.attackers import Attacker, patch_attackers, query_attackers
from pipeline.robustness.corruptions import Corruption
from pipeline.robustness.defence import Defence
from pipeline.robustness.plan import Plan
from pipeline.robustness.threat import VERIFICATION_GOALS, Goal
from pipeline.robustness.under_attack import adaptive_of


def steps_of(plan: Plan, defence: Defence, transferred: Sequence[Attacker]) -> int:
    """The steps of one defence; `transferred` are the attackers who do not know its purifier."""
    adaptive = len(adaptive_of(plan, defence))
    gradient = len(transferred) * len(plan.budgets_255) + adaptive * len(plan.adaptive_budgets_255)
    pairs = sum(gradient + _of_few_pairs(plan, defence, goal) for goal in VERIFICATION_GOALS)
    corruptions = len(plan.severities) * len(Corruption)
    return 1 + corruptions + pairs + (gradient if plan.strangers else 0)


def _of_few_pairs(plan: Plan, defence: Defence, goal: Goal) -> int:
    """What costs too much for all pairs."""
    patches = len(patch_attackers(defence, plan.patch_steps)) if plan.patch_pairs else 0
    asking = query_attackers(defence, 0.0, goal, plan.score_queries, plan.decision_queries)
    queries = len(asking) if plan.query_pairs else 0
    return patches + queries + bool(plan.minimum_pairs)
