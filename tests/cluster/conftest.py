"""One namespace, one platform, one release on it: what all tests of the cluster look at. Needs KUBECONFIG."""

import json
import os
import shutil
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.cluster.bench import BUCKET, CREDENTIALS, PREFIX, ROOT, TAG, Bench
from tests.cluster.proxy import through
from tests.cluster.seen import Seen, watching
from tests.e2e.conftest import free_ports

LAUNCHER = "ratchet-launcher"
CONFIG = """
root = "{home}/project"
state_dir = "{home}/state"
cache_dir = "{root}/.ratchet/cache"
environments_dir = "{root}/.venvs"
runtime = "kubernetes"
tracking_uri = "http://ratchet-mlflow.{namespace}.svc:5000"
[store]
kind = "s3"
bucket = "{bucket}"
endpoint_url = "{store}"
[kubernetes]
namespace = "{namespace}"
image_prefix = "{prefix}"
image_tag = "{tag}"
edge_url = "{users}"
schedule_timeout_seconds = 120
[ports]
airflow = {airflow}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("KUBECONFIG"):
        for item in items:
            item.add_marker(pytest.mark.skip(reason="KUBECONFIG names no cluster"))


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The store, the charts, and a ratchet.toml that names them.

    RATCHET_KEEP=1 leaves it all as it is and says where; RATCHET_BENCH=<that folder> goes on with it.
    """
    home = Path(os.environ.get("RATCHET_BENCH") or tempfile.mkdtemp(prefix="ratchet-"))
    door = through(Path(os.environ["KUBECONFIG"]), home / "kubeconfig")
    found = tomllib.loads((home / "ratchet.toml").read_text("utf-8")) if (home / "ratchet.toml").is_file() else None
    bench = Bench(found["kubernetes"]["namespace"] if found else f"ratchet-{uuid.uuid4().hex[:6]}", home, door)
    try:
        if found is None:
            install(bench)
        become(bench, LAUNCHER)
        yield bench
    finally:
        if os.environ.get("RATCHET_KEEP"):
            sys.stderr.write(f"kept: namespace {bench.namespace}, folder {home}\n")
        else:
            bench.ratchet("down")
            bench.kubectl("delete", "namespace", bench.namespace, "--wait=false", check=False)
            shutil.rmtree(home, ignore_errors=True)


def install(bench: Bench) -> None:
    bench.kubectl("create", "namespace", bench.namespace)
    bench.install_store()
    may_switch = {"kind": "ServiceAccount", "name": LAUNCHER, "namespace": bench.namespace}
    bench.install_serving("--set-json", f"rollback.subjects={json.dumps([may_switch])}")
    lay_out(bench.home)
    configure(bench)
    bench.install_platform()


def become(bench: Bench, account: str) -> None:
    """Airflow and the command line are on the cluster what the charts say they must be, and no more."""
    path = bench.home / "kubeconfig"
    kubeconfig = yaml.safe_load(path.read_text("utf-8"))
    kubeconfig["users"][0]["user"] = {"token": bench.token_of(account)}
    path.write_text(yaml.safe_dump(kubeconfig), "utf-8")


def lay_out(home: Path) -> None:
    """The project with the faults beside the release: Airflow has one folder of DAGs."""
    (home / "project" / "dags").mkdir(parents=True)
    for name in ("containers", "expectations", "quality_gates"):
        (home / "project" / name).symlink_to(ROOT / name)
    for dag in (ROOT / "dags" / "release.py", ROOT / "tests" / "cluster" / "dags" / "faults.py"):
        (home / "project" / "dags" / dag.name).symlink_to(dag)


def configure(bench: Bench) -> None:
    values = {
        "root": ROOT,
        "home": bench.home,
        "namespace": bench.namespace,
        "bucket": BUCKET,
        "store": bench.address("store"),
        "prefix": PREFIX,
        "tag": TAG,
        "users": bench.address("support"),
        "airflow": free_ports(1)[0],
    }
    bench.config.write_text(CONFIG.format(**values), "utf-8")
    secrets = bench.home / "state" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    for name, value in CREDENTIALS.items():
        (secrets / f"s3_{name[4:]}").write_text(value, "utf-8")


@pytest.fixture(scope="session")
def release(bench: Bench) -> Seen:
    """`ratchet demo`: platform, data, release, approval; and the pods that it was. A kept bench has had it."""
    told, pods = bench.home / "demo.txt", bench.home / "demo-pods.json"
    if told.is_file():
        return Seen(json.loads(pods.read_text("utf-8")))
    with watching(bench) as seen:
        done = bench.ratchet("demo", timeout=3000)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    pods.write_text(json.dumps(seen.pods), "utf-8")
    told.write_text(done.stdout, "utf-8")
    return seen
