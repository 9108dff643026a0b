"""Fixtures for the verbs."""

from __future__ import annotations

from tests.unit.command_line import lab as lab
