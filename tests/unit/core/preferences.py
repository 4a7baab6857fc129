"""Reviews and preference reports made by hand: so many wins, losses and ties among so many samples."""

from tests.unit.core.evaluations import report, task

from ratchet.core.contract import digest_json
from ratchet.core.evaluation import EvalReport
from ratchet.core.preference import JudgeRecord, Pair, PreferenceReport, Review

MODELS = {"candidate_sha256": digest_json("candidate"), "baseline_sha256": digest_json("baseline")}


def review(num_pairs: int, num_equal: int = 0, **fields: object) -> Review:
    """The metric prefers the candidate in the first pair, the baseline in the second, and no side of the third, …"""
    pairs = tuple(
        Pair(
            sample_id=f"intent-{n}",
            prompt=f"question {n}",
            candidate=f"candidate's answer {n}",
            baseline=f"baseline's answer {n}",
            metric_prefers=(1.0, 0.0, None)[n % 3],
        )
        for n in range(num_pairs)
    )
    content = {
        **MODELS,
        "task": "intent",
        "metric": "exact_match",
        "config_sha256": digest_json(["intent", "config"]),
        "data_sha256": digest_json(["intent", "data"]),
        "sample_ids": tuple(f"intent-{n}" for n in range(num_pairs + num_equal)),
        "pairs": pairs,
    }
    return Review.model_validate({**content, **fields})


def rated(wins: int, losses: int, num_samples: int, num_unrated: int = 0, **fields: object) -> PreferenceReport:
    """By people, unless the fields say otherwise. Neither win, loss nor unrated: equal answers."""
    num_equal = num_samples - wins - losses - num_unrated
    content = {
        **MODELS,
        "review_sha256": digest_json("review"),
        "task": "intent",
        "config_sha256": digest_json(["intent", "config"]),
        "data_sha256": digest_json(["intent", "data"]),
        "rater_kind": "people",
        "rater": "mia",
        "sample_ids": tuple(f"intent-{n}" for n in range(num_samples)),
        "values": (1.0,) * wins + (0.0,) * losses + (None,) * num_unrated + (0.5,) * num_equal,
        "num_equal": num_equal,
    }
    return PreferenceReport.model_validate({**content, **fields})


def judged(wins: int, losses: int, num_samples: int, **record: object) -> PreferenceReport:
    """By a judge that was never unsure, unless the record's fields say otherwise."""
    content = {
        "prompt_version": "1",
        "prompt_sha256": digest_json("prompt"),
        "num_by_position": 0,
        "num_unreadable": 0,
        "metric": "exact_match",
        "num_compared": 0,
        "num_agreed": 0,
    }
    judge = JudgeRecord.model_validate({**content, **record})
    return rated(wins, losses, num_samples, rater_kind="judge", rater="arbiter", judge=judge)


def evaluations(num_samples: int = 400) -> tuple[EvalReport, EvalReport]:
    """The two models' reports, equally good by the metric."""
    sides = (report(task("intent", [1.0] * num_samples)) for _ in MODELS)
    candidate, baseline = (
        side.model_copy(update={"model_sha256": sha256}) for side, sha256 in zip(sides, MODELS.values(), strict=True)
    )
    return candidate, baseline
