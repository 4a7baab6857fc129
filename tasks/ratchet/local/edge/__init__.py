"""Envoy as the embedded platform's edge: the one door that users come in by."""

from ratchet.local.edge.bootstrap import bootstrap_config, command, write

__all__ = ["bootstrap_config", "command", "write"]
