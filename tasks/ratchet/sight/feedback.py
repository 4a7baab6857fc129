"""What applications said of answers, and how much of it waits for a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ratchet.clients.world import World
from ratchet.core.feedback import Rating, waiting
from ratchet.core.releases import production_history
from ratchet.serving.feedback.inbox import Inbox, feedback_counts
from ratchet.sight.families import gauge, gauges

# Older releases' answers are counted in no series: there would be more of them each week.
NUM_RELEASES = 2


@dataclass(frozen=True)
class FeedbackFacts:
    """`rated`: answers of the newest releases in production, by release and rating."""

    line: str
    rated: Mapping[tuple[str, Rating], int]
    num_waiting: int


def gather(world: World, line: str, inbox: Inbox) -> FeedbackFacts:
    lived = dict.fromkeys(entry.release_id for entry in reversed(production_history(world.ledger(line).events())))
    newest = list(lived)[:NUM_RELEASES]
    counts = Counter({key: count for key, count in feedback_counts(inbox).items() if key[0] in newest})
    return FeedbackFacts(line, counts, len(waiting(inbox.read(), world.feedback(line).records())))


def families(facts: FeedbackFacts) -> list[Metric]:
    return [
        gauges(
            facts.line,
            "ratchet_feedback_answers",
            "Answers that somebody rated, of what is still kept; the last word on each counts.",
            ("release", "rating"),
            {key: float(count) for key, count in facts.rated.items()},
        ),
        gauge(
            facts.line,
            "ratchet_feedback_waiting",
            "Answers that somebody said were wrong, and no person has looked at.",
            float(facts.num_waiting),
        ),
    ]
