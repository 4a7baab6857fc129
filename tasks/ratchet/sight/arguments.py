"""What may be said to the exporter, for the command line, which has to start fast, and for a pod."""

import argparse

from ratchet.clients.settings import LOOPBACK

# What is told beside Airflow, where steps and engines are pods: the rest is told by the exporter of helm/serving.
BESIDE_AIRFLOW = ("airflow", "releases")
NAMES = (
    *(
        "ledger",
        "router",
        "drills",
        "datasets",
        "drifts",
        "quality",
        "costs",
        "feedback",
        "gpus",
        "work",
        "production",
        "registry",
        "edge",
        "engine_blue",
        "engine_green",
    ),
    *BESIDE_AIRFLOW,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="default: [ports] exporter of ratchet.toml; 0 is any that is free")
    parser.add_argument(
        "--only",
        nargs="+",
        default=NAMES,
        choices=NAMES,
        metavar="SOURCE",
        help=f"of {', '.join(NAMES)} (default: all)",
    )
