import configparser
import json
from pathlib import Path

from tests.fakes.events import sha

from ratchet.clients.edge_keys import add_key
from ratchet.clients.engine import COLOURS
from ratchet.clients.router import EnvoyRouter
from ratchet.clients.routes import routes
from ratchet.clients.settings import Ports, Settings, StoreSettings, TraceSettings
from ratchet.core.rollout import first_state
from ratchet.local import edge, services


def test_everything_of_the_edge_is_on_loopback(tmp_path: Path) -> None:
    ports = Ports(edge=1, edge_admin=2, blue=3, green=4)

    config = json.dumps(edge.bootstrap_config(Settings(root=tmp_path, ports=ports)))

    assert config.count('"address": "127.0.0.1"') == 4
    assert all(f'"port_value": {port}' in config for port in (1, 2, 3, 4))


def test_starting_anew_keeps_the_state_in_force(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, ports=Ports(edge=9))
    router = EnvoyRouter(settings.state / "router", settings.ports)
    edge.write(settings)
    assert router.read() is None

    state = first_state("blue", "a", sha("a"), seq=0)
    router.write(state, router.read())
    edge.write(settings)

    assert router.read() == state


def test_requests_have_a_log_of_their_own_that_is_rotated_as_all_logs(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    written = configparser.RawConfigParser()
    written.read(services.write_config(settings, tmp_path / "ratchet.toml"))

    envoy, mlflow = written["program:envoy"], written["program:mlflow"]
    assert [Path(envoy[f"{stream}_logfile"]).name for stream in ("stdout", "stderr")] == ["access.log", "envoy.log"]
    assert envoy["stdout_logfile_maxbytes"] == envoy["stderr_logfile_maxbytes"] == mlflow["stdout_logfile_maxbytes"]
    assert "redirect_stderr" not in envoy


def test_without_a_collector_envoy_traces_nothing_and_changes_no_request(tmp_path: Path) -> None:
    config = json.dumps(edge.bootstrap_config(Settings(root=tmp_path)))

    for word in ("opentelemetry", "early_header_mutation", "request_id_extension", '"collector"'):
        assert word not in config


def test_a_collector_behind_tls_must_prove_its_name(tmp_path: Path) -> None:
    traces = TraceSettings(otlp_endpoint="https://otel.example.org/tenant/")
    config = edge.bootstrap_config(Settings(root=tmp_path, traces=traces))
    (cluster,) = [one for one in config["static_resources"]["clusters"] if one["name"] == "collector"]

    tls = cluster["transport_socket"]["typed_config"]
    assert tls["sni"] == "otel.example.org"
    assert tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"] == [
        {"san_type": "DNS", "matcher": {"exact": "otel.example.org"}}
    ]
    assert Path(tls["common_tls_context"]["validation_context"]["trusted_ca"]["filename"]).is_file()
    assert '"port_value": 443' in json.dumps(cluster)
    assert '"uri": "https://otel.example.org/tenant/v1/traces"' in json.dumps(config)


def test_feedback_is_taken_beside_the_edge_and_on_a_cluster_nowhere(tmp_path: Path) -> None:
    def names(settings: Settings) -> set[str]:
        return {program.name for program in services.programs(settings, tmp_path / "ratchet.toml")}

    on_a_cluster = StoreSettings(kind="s3", bucket="b")
    assert "feedback" in names(Settings(root=tmp_path))
    assert "feedback" not in names(
        Settings(root=tmp_path, runtime="kubernetes", store=on_a_cluster, tracking_uri="http://mlflow")
    )


def test_what_envoy_starts_from_holds_no_key(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    key = add_key(settings, "mia")
    edge.write(settings)

    assert key not in (settings.state / "router" / "envoy.json").read_text()


def test_a_state_in_the_words_of_an_older_version_is_written_anew(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, ports=Ports(edge=9))
    router = EnvoyRouter(settings.state / "router", settings.ports)
    state = first_state("blue", "a", sha("a"), seq=0)
    router.write(state, router.read())
    older = json.loads(router.path.read_bytes())
    del older["resources"][0]["virtual_hosts"][0]["routes"][0]["typed_per_filter_config"]
    router.path.write_text(json.dumps(older))

    edge.write(settings)

    assert router.path.read_bytes() == routes(state)


def test_requests_go_to_the_replica_with_the_fewest_under_way(tmp_path: Path) -> None:
    clusters = edge.bootstrap_config(Settings(root=tmp_path))["static_resources"]["clusters"]

    assert {cluster["name"]: cluster["lb_policy"] for cluster in clusters if cluster["name"] in COLOURS} == {
        "blue": "LEAST_REQUEST",
        "green": "LEAST_REQUEST",
    }
