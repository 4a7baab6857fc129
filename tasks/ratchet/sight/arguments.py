"""What may be said to the exporter, for the command line, which has to start fast, and for a pod."""

import argparse

from ratchet.clients.settings import LOOPBACK

# What only pods of a cluster reach: the exporter in helm/serving tells it.
ON_CLUSTER = ("engine_blue", "engine_green")
NAMES = (
    *("ledger", "router", "drills", "datasets", "work", "production", "registry", "airflow", "releases"),
    *("edge", *ON_CLUSTER),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="default: [ports] exporter of ratchet.toml; 0 is any that is free")
    parser.add_argument(
        "--without", nargs="+", default=[], choices=NAMES, metavar="SOURCE", help=f"leave out: {', '.join(NAMES)}"
    )
