"""A namespace of a real cluster with everything a release needs, and the hands of an operator on it.

KUBECONFIG chooses the cluster. RATCHET_IMAGE_PREFIX and RATCHET_IMAGE_TAG name images that it can pull: by default
those that `make images` tags.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from tests.cluster.proxy import Door

from ratchet import __version__
from ratchet.cli.release import airflow_of
from ratchet.clients.airflow import Airflow
from ratchet.clients.settings import Settings, load
from ratchet.clients.world import World

ROOT = Path(__file__).parent.parent.parent
BIN = ROOT / ".venv" / "bin"
PREFIX = os.environ.get("RATCHET_IMAGE_PREFIX", "ratchet")
TAG = os.environ.get("RATCHET_IMAGE_TAG", f"{__version__}-cpu")
BUCKET = "ratchet"
STORE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: store}
spec:
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
        - name: store
          image: PREFIX/test-store:1
          imagePullPolicy: IfNotPresent
          resources: {requests: {cpu: 50m, memory: 256Mi}, limits: {memory: 3Gi}}
          readinessProbe: {tcpSocket: {port: 5000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {type: NodePort, selector: {app: store}, ports: [{port: 5000}]}
"""


@dataclass(frozen=True)
class Bench:
    """Airflow and the command line go to the API server by `door`, kubectl and helm by themselves."""

    namespace: str
    home: Path
    door: Door

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        command = ["kubectl", "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def get(self, kind: str, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", kind, *arguments, "-o", "json"))

    def helm(self, *arguments: str) -> str:
        command = [str(BIN / "helm"), "-n", self.namespace, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ratchet(self, *arguments: str, timeout: float = 1800) -> "subprocess.CompletedProcess[str]":
        command = [str(BIN / "ratchet"), "--config", str(self.config), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(self.home / "kubeconfig")}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    @property
    def settings(self) -> Settings:
        return load(self.config)

    @property
    def world(self) -> World:
        """The platform's, with kubectl's own way to the cluster."""
        return World(self.settings, self.settings.scratch)

    @property
    def airflow(self) -> Airflow:
        return airflow_of(self.settings, "engineer")

    @property
    def config(self) -> Path:
        return self.home / "ratchet.toml"

    @property
    def node(self) -> str:
        addresses = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"][0]["status"]["addresses"]
        return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))

    def address(self, service: str) -> str:
        """A Service of type NodePort, as this machine and the pods reach it alike."""
        port = self.get("service", service)["spec"]["ports"][0]["nodePort"]
        return f"http://{self.node}:{port}"

    def pods(self, labels: str) -> list[dict[str, Any]]:
        return list(self.get("pods", "-l", labels)["items"])

    def token_of(self, account: str) -> str:
        """Who a service account is, for two hours."""
        spec = {"audiences": [], "expirationSeconds": 7200}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        url = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        return str(
            json.loads(self.kubectl("create", "--raw", url, "-f", "-", text=json.dumps(body)))["status"]["token"]
        )

    def image(self, name: str) -> str:
        return f"{PREFIX}/{name}:{TAG}"

    # what a person would install, in order

    def install_store(self) -> None:
        self.kubectl("apply", "-f", "-", text=STORE.replace("PREFIX", PREFIX))
        self.kubectl("rollout", "status", "deployment/store", "--timeout=180s")
        client = boto3.client("s3", endpoint_url=self.address("store"), region_name="us-east-1", **CREDENTIALS)
        until(lambda: client.create_bucket(Bucket=BUCKET), 60, "the store answers")
        literals = (f"--from-literal={f's3_{name[4:]}'}={value}" for name, value in CREDENTIALS.items())
        self.kubectl("create", "secret", "generic", "ratchet-store", *literals)

    def install_platform(self, *options: str) -> None:
        images = ("--set", f"image.prefix={PREFIX}", "--set", f"image.tag={TAG}")
        config = ("--set-file", f"config={self.config}")
        self.helm("upgrade", "--install", "ratchet", str(ROOT / "helm/platform"), *images, *config, *options)

    def install_serving(self, *options: str) -> None:
        """Values that were given before stay."""
        images = ("--set", f"image.prefix={PREFIX}", "--set", f"image.tag={TAG}")
        node_port = ("--set", "service.type=NodePort")
        chart = ("upgrade", "--install", "support", str(ROOT / "helm/serving"), "--reuse-values")
        self.helm(*chart, *images, *node_port, *options)


CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test-secret"}


def until(done: Callable[[], Any], seconds: float, what: str, every: float = 1.0) -> Any:
    """The first true answer of `done`; what it raises meanwhile is the reason if there is none."""
    deadline, problem = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if found := done():
                return found
        except Exception as error:
            problem = error
        time.sleep(every)
    raise AssertionError(f"not within {seconds:.0f} s: {what} ({problem})")


def chat(url: str, text: str) -> httpx.Response:
    body = {
        "model": "support",
        "messages": [{"role": "user", "content": f"Give a label for: {text}"}],
        "max_tokens": 48,
        "temperature": 0,
    }
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
