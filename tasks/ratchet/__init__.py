"""Ratchet: retrain a language model every week and never ship a worse one."""

__version__ = "0.1.0"
