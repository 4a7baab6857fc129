"""What real MLflow answers is held to its own client in tests/steps/registry."""

import pytest
from tests.fakes.mlflow import Registered, answering

from ratchet.clients.mlflow_rest import NotRegistered, aliases, digest_of_version
from ratchet.clients.registry import RegistryUnavailable


def test_a_line_that_is_not_registered_has_no_aliases() -> None:
    with answering(Registered(known=False)) as url:
        assert aliases(url, "support") == {}


def test_a_registry_that_is_down_is_unavailable() -> None:
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        aliases("http://127.0.0.1:9", "support")


def test_a_version_that_is_not_there_is_not_registered() -> None:
    with answering(Registered(known=False)) as url, pytest.raises(NotRegistered, match="RESOURCE_DOES_NOT_EXIST"):
        digest_of_version(url, "support", "7")
