"""`ratchet review`: which of two models answers better, as people or another model see it."""

import argparse

from ratchet.cli.here import Here
from ratchet.cli.review import judge, pairs, ratings, tell


def write_pairs(here: Here, options: argparse.Namespace) -> None:
    task = options.task or here.recipe.split_task.name
    models = here.model(options.candidate), here.model(options.baseline)
    review = pairs.make_pairs(here.do, here.world, here.recipe, *models, task, options.num_samples)
    if review.pairs:
        pairs.write_pairs(review, options.out)
    else:
        ratings.store_ties(here.world, review)
    tell.pairs(review, options.out, here.console)


def take_ratings(here: Here, options: argparse.Namespace) -> None:
    rated = ratings.read_ratings(options.file, here.world.store)
    tell.ratings(ratings.store_ratings(here.world, rated, "people", options.by), here.console)


def ask_judge(here: Here, options: argparse.Namespace) -> None:
    asked = judge.Judge(
        url=judge.root_of(options.url),
        model=options.model,
        key=judge.read_key(options.key_file),
        prompt=judge.load_prompt(here.settings.root / "quality_gates" / "judge.yaml"),
    )
    review = ratings.read_ratings(options.file, here.world.store).review
    with tell.progress(len(review.pairs), here.console) as on_pair:
        judged = judge.judge_pairs(asked, review, options.file.name, on_pair)
    rated = ratings.RatedFile(review, judged.choices)
    tell.ratings(ratings.store_ratings(here.world, rated, "judge", options.model, judged.record), here.console)
