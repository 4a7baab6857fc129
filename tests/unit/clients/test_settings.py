"""ratchet.toml alone decides where things are; a slip in it is named."""

from pathlib import Path

import pytest

from ratchet.clients.settings import BadSettings, Settings, StoreSettings, load


def written(folder: Path, text: str) -> Path:
    path = folder / "ratchet.toml"
    path.write_text(text, "utf-8")
    return path


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'state_dir = "here"'))

    assert settings.state == tmp_path / "here"
    assert settings.python("train") == tmp_path / ".venvs" / "train" / "bin" / "python"


def test_the_file_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    monkeypatch.delenv("RATCHET_CONFIG", raising=False)

    assert load().root == tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat_dir = 'x'", "stat_dir"),
        ("[ports]\nedge = 'many'", "ports.edge"),
        ("runtime = 'docker'", "runtime"),
        ("runtime = ", "TOML"),
        ("[notify]\napprovals = '../elsewhere'", "notify.approvals"),
        ("[notify]\napprovals = 'slack://token'", "notify.approvals"),
        ("[traces]\notlp_endpoint = '127.0.0.1:4318'", "traces.otlp_endpoint"),
        ("[traces]\notlp_endpoint = 'http://collector:otlp'", "traces.otlp_endpoint"),
        ("[traces]\notlp_endpoint = 'https://mia:secret@collector'", "traces.otlp_endpoint"),
        ("[traces]\nrequest_share = 10", "traces.request_share"),
    ],
)
def test_a_slip_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        load(written(tmp_path, text))


def test_pods_need_a_store_and_a_tracking_server_that_they_reach(tmp_path: Path) -> None:
    (tmp_path / "ratchet.toml").write_text('runtime = "kubernetes"\n')
    with pytest.raises(BadSettings, match='kind = "s3"'):
        load(tmp_path / "ratchet.toml")

    (tmp_path / "ratchet.toml").write_text('runtime = "kubernetes"\n[store]\nkind = "s3"\nbucket = "b"\n')
    with pytest.raises(BadSettings, match="tracking_uri"):
        load(tmp_path / "ratchet.toml")


def test_a_pod_says_where_it_is_under_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ratchet.toml").write_text('root = "/home/mia/project"\nstep_threads = 8\n')
    for name, value in (("ROOT", "/opt/ratchet"), ("STATE_DIR", "/scratch"), ("STEP_THREADS", "2")):
        monkeypatch.setenv(f"RATCHET_{name}", value)

    settings = load(tmp_path / "ratchet.toml")

    assert (settings.root, settings.state, settings.step_threads) == (Path("/opt/ratchet"), Path("/scratch"), 2)


def test_users_are_sent_to_where_the_platform_serves(tmp_path: Path) -> None:
    on_cluster = {"runtime": "kubernetes", "tracking_uri": "http://m", "store": StoreSettings(kind="s3", bucket="b")}

    assert Settings(root=tmp_path).users_url == "http://127.0.0.1:8700"
    assert Settings(root=tmp_path, recipe="a_b", **on_cluster).users_url == "http://a-b.ratchet.svc:8000"


def test_a_gateway_needs_the_address_that_releases_are_watched_through(tmp_path: Path) -> None:
    where = 'runtime = "kubernetes"\ntracking_uri = "http://m"\n[store]\nkind = "s3"\nbucket = "b"\n'
    (tmp_path / "ratchet.toml").write_text(f'{where}[kubernetes]\nrouter = "gateway"\n')

    with pytest.raises(BadSettings, match="edge_url"):
        load(tmp_path / "ratchet.toml")


def test_a_kubeconfig_is_found_from_the_projects_folder_and_from_home(tmp_path: Path) -> None:
    for written, expected in (("k/config", tmp_path / "k" / "config"), ("~/.kube/x", Path.home() / ".kube" / "x")):
        (tmp_path / "ratchet.toml").write_text(f'[kubernetes]\nkubeconfig = "{written}"\n')

        assert load(tmp_path / "ratchet.toml").kubernetes.kubeconfig == expected


def test_prices_are_off_unless_they_are_said(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")).costs is None

    costs = load(written(tmp_path, '[costs]\ncurrency = "EUR"\ncpu_per_hour = 0.10\n')).costs
    assert costs
    assert (costs.currency, costs.cpu_per_hour, costs.gpu_per_hour) == ("EUR", 0.1, None)


def test_what_a_gpu_costs_is_asked_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="needs gpu_per_hour"):
        load(written(tmp_path, 'device = "cuda"\n[costs]\ncurrency = "EUR"\ncpu_per_hour = 0.10\n'))


def test_the_edge_has_no_limits_but_a_requests_size_and_keeps_nothing_unless_it_is_said(tmp_path: Path) -> None:
    edge = load(written(tmp_path, "")).edge

    assert (edge.requests_per_minute, edge.tokens_per_minute, edge.tokens_per_day) == (None, None, None)
    assert (edge.max_request_bytes, edge.capture_share) == (4 * 1024 * 1024, 0.0)


@pytest.mark.parametrize(
    "line", ["capture_share = 1.1", "feedback_days = 0", "tokens_per_day = 0", "request_per_minute = 60"]
)
def test_a_limit_that_cannot_be_one_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadSettings, match="edge"):
        load(written(tmp_path, f"[edge]\n{line}\n"))
