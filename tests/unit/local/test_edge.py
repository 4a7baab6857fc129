import json
from pathlib import Path

from tests.fakes.events import sha

from ratchet.clients.router import EnvoyRouter
from ratchet.clients.settings import Ports, Settings
from ratchet.core.rollout import first_state
from ratchet.local import edge


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
