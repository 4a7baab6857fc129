"""Where things are and where steps run: `ratchet.toml`, and nothing else, decides."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, StringConstraints, ValidationError, model_validator

from ratchet.core.contract import Contract
from ratchet.core.errors import TerminalError

CONFIG_VARIABLE = "RATCHET_CONFIG"
SECRETS_VARIABLE = "RATCHET_SECRETS_DIR"
LOOPBACK = "127.0.0.1"
# What differs from place to place under one file: where the project is, where to write, how many cores to use.
OVERRIDES = {"root": "RATCHET_ROOT", "state_dir": "RATCHET_STATE_DIR", "step_threads": "RATCHET_STEP_THREADS"}


class StoreSettings(Contract):
    """`kind = "s3"` needs a bucket. Credentials come from the secrets directory or the pod's identity."""

    kind: Literal["local", "s3"] = "local"
    bucket: str = ""
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None


class Ports(Contract):
    """All on loopback. `edge` is where users send requests; blue and green are the engines behind it."""

    airflow: int = 8780
    mlflow: int = 8781
    edge: int = 8700
    edge_admin: int = 8709
    exporter: int = 8710
    blue: int = 8701
    green: int = 8702


class EdgeSettings(Contract):
    """What a user may ask of the edge. The limits are for each key by itself; who asks without one, where there are no
    keys, is not counted. Days are UTC's. `capture_share` of the answers are kept, redacted, for `capture_days`;
    what users say of answers, for `feedback_days`.
    """

    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    tokens_per_day: PositiveInt | None = None
    max_request_bytes: PositiveInt = 4 * 1024 * 1024
    capture_share: float = Field(default=0.0, ge=0.0, le=1.0)
    capture_days: PositiveInt = 7
    feedback_days: PositiveInt = 30


class KubernetesSettings(Contract):
    """Which cluster, where in it, and which images. The recipe says what a step's pod needs (recipes/resources.py).

    `kubeconfig` and `context` choose the cluster; without them a pod uses its own, a person the current context.
    `images` names single images in full (by digest, say); the others are `image_prefix`/IMAGE:`image_tag`.
    `edge_url` is where people reach the users' endpoint from outside; pods use the Service.
    `router`: "service" moves a Service's selector; "gateway" sets the weights of an HTTPRoute.
    """

    namespace: str = "ratchet"
    kubeconfig: Path | None = None
    context: str | None = None
    image_prefix: str = "ratchet"
    image_tag: str = ""
    images: dict[str, str] = Field(default={})
    edge_url: str = ""
    router: Literal["service", "gateway"] = "service"
    schedule_timeout_seconds: PositiveInt = 900
    start_timeout_seconds: PositiveInt = 900
    log_interval_seconds: PositiveInt = 20


class Prices(Contract):
    """What an hour of a step costs, on a machine without a GPU and per GPU on one with; an hour of a second engine; a
    GiB in the store for a month. Reports tell it, budgets are held by it.
    """

    currency: str = Field(min_length=1)
    cpu_per_hour: NonNegativeFloat
    gpu_per_hour: NonNegativeFloat | None = None
    storage_per_gib_month: NonNegativeFloat | None = None
    serving_per_hour: NonNegativeFloat | None = None


SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class NotifySettings(Contract):
    """Where messages to people go: names of files in the secrets folder, one Apprise URL per line. None: to the log."""

    approvals: SecretName | None = None
    escalations: SecretName | None = None
    drift: SecretName | None = None
    failures: SecretName | None = None


class PrometheusSettings(Contract):
    """`url`: where the recipe's KPIs are asked for, without /api; empty: they are not."""

    url: str = Field(default="", pattern=r"^(https?://[^\s@]+)?$")


class IntakeSettings(Contract):
    """Where others leave files. Without `drop_dir`: drop/<line> below the state, or with an S3 store in its bucket."""

    drop_dir: Path | None = None


class TraceSettings(Contract):
    """`otlp_endpoint`: a collector's address for OTLP by HTTP, without /v1/traces. `days`: how long files are kept.
    `request_share`: of users' requests, those that are told to the collector, unless the caller's own trace decides.
    """

    otlp_endpoint: str = Field(
        default="", pattern=r"^(https?://(\[[\da-fA-F:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?(/[^\s?#]*)?)?$"
    )
    request_share: float = Field(default=1.0, ge=0.0, le=1.0)
    days: PositiveInt = 30


class Settings(Contract):
    """`root` is the project's folder (default: the file's); other relative paths are relative to it."""

    root: Path
    runtime: Literal["process", "kubernetes"] = "process"
    state_dir: Path = Path(".ratchet")
    environments_dir: Path = Path(".venvs")
    cache_dir: Path | None = None
    recipe: str = "support"
    store: StoreSettings = StoreSettings()
    ports: Ports = Ports()
    edge: EdgeSettings = EdgeSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    device: Literal["cpu", "cuda"] = "cpu"
    tracking_uri: str = ""
    step_threads: int = Field(default=0, ge=0, description="threads per step; 0 is one per core")
    costs: Prices | None = None
    notify: NotifySettings = NotifySettings()
    intake: IntakeSettings = IntakeSettings()
    traces: TraceSettings = TraceSettings()
    prometheus: PrometheusSettings = PrometheusSettings()

    @model_validator(mode="after")
    def _whatever_is_used_has_a_price(self) -> Self:
        if self.device == "cuda" and self.costs and self.costs.gpu_per_hour is None:
            raise ValueError('[costs] with device = "cuda" needs gpu_per_hour, the price of one GPU for an hour')
        return self

    @model_validator(mode="after")
    def _pods_reach_what_they_need(self) -> Self:
        if self.runtime == "kubernetes" and self.store.kind != "s3":
            raise ValueError(
                'runtime = "kubernetes" needs [store] kind = "s3": pods do not see this machine\'s folders'
            )
        if self.runtime == "kubernetes" and not self.tracking_uri:
            raise ValueError('runtime = "kubernetes" needs tracking_uri, an MLflow server that pods reach')
        if self.kubernetes.router == "gateway" and not self.kubernetes.edge_url:
            raise ValueError(
                'router = "gateway" needs edge_url, the gateway\'s address: releases are watched through it'
            )
        return self

    @property
    def state(self) -> Path:
        return self.root / self.state_dir

    @property
    def cache(self) -> Path:
        return self.root / self.cache_dir if self.cache_dir else self.state / "cache"

    @property
    def scratch(self) -> Path:
        return self.state / "scratch"

    @property
    def capture_dir(self) -> Path:
        """What users ask, kept for a few days where the recipe's platform says so (docs/edge.md)."""
        return self.state / "capture"

    @property
    def labels_dir(self) -> Path:
        """The truth about answers, which comes later, kept as long as what users say of them (docs/quality.md)."""
        return self.state / "labels"

    @property
    def secrets(self) -> Path:
        return Path(os.environ.get(SECRETS_VARIABLE) or self.state / "secrets")

    def drop_dir(self, line: str) -> Path:
        """Where files for that line are left on this machine."""
        return self.root / self.intake.drop_dir if self.intake.drop_dir else self.state / "drop" / line

    @property
    def can_share_traffic(self) -> bool:
        """Can two colours answer at once? A Service has one selector."""
        return self.runtime == "process" or self.kubernetes.router == "gateway"

    @property
    def users_url(self) -> str:
        """Where people ask the model in production, without /v1."""
        if self.runtime == "kubernetes":
            return (
                self.kubernetes.edge_url
                or f"http://{self.recipe.replace('_', '-')}.{self.kubernetes.namespace}.svc:8000"
            )
        return f"http://{LOOPBACK}:{self.ports.edge}"

    @property
    def mlflow_url(self) -> str:
        return self.tracking_uri or f"http://127.0.0.1:{self.ports.mlflow}"

    def python(self, image: str) -> Path:
        """The interpreter of one image's environment (process runtime)."""
        return self.root / self.environments_dir / image / "bin" / "python"

    def lock(self, image: str) -> Path:
        return self.root / "containers" / image / f"requirements.{self.device_of(image)}.txt"

    def device_of(self, image: str) -> str:
        """An image that computes nothing on a GPU has one lock, whatever the platform's device."""
        own = self.root / "containers" / image / f"requirements.{self.device}.txt"
        return self.device if own.is_file() else "cpu"


class BadSettings(TerminalError, ValueError):
    """`ratchet.toml` does not say what it must."""

    code = "SETTINGS_INVALID"


def load(path: Path | None = None) -> Settings:
    """Read ratchet.toml: `path`, else $RATCHET_CONFIG, else the nearest one above the working directory."""
    found = find(path)
    try:
        fields = tomllib.loads(found.read_text("utf-8"))
        here = {name: os.environ[variable] for name, variable in OVERRIDES.items() if variable in os.environ}
        fields = {**fields, **here}
        root = (found.parent / fields.get("root", ".")).resolve()
        if kubeconfig := fields.get("kubernetes", {}).get("kubeconfig"):
            fields["kubernetes"]["kubeconfig"] = root / Path(kubeconfig).expanduser()
        return Settings(**{**fields, "root": root})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{found}: cannot be read as TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadSettings(f"{found}: {problems}; the fields are described in docs/settings.md") from error


def find(path: Path | None = None) -> Path:
    """The absolute path of the ratchet.toml in force."""
    return (path or _from_environment() or _nearest()).resolve()


def _from_environment() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else None


def _nearest() -> Path:
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "ratchet.toml").is_file():
            return folder / "ratchet.toml"
    raise BadSettings(
        f"no ratchet.toml in {Path.cwd()} or above: run in the project's folder, or set {CONFIG_VARIABLE} to its path"
    )
