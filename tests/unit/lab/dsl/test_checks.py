"""Checks of a document: kinds of resource, sites, numbers, and texts that are too long for a message."""

from __future__ import annotations

import pytest

from lab import dsl
from lab.errors import DslError
from tests.unit.lab.dsl.documents import FIXTURES, faults, pair


def test_every_kind_of_resource_is_taken_and_kept() -> None:
    topology = dsl.parse((FIXTURES / "switches.dsl").read_text())

    assert {host.name: host.kind for host in topology.hosts} == {
        "bare-1": "baremetalserver",
        "controller": "host",
        "ofxAMS": "ofx",
        "vsi_PRG": "vsi",
    }
    assert topology.host("controller").site == "AMS"
    assert topology.link("ofxAMS", "vsi_PRG").rate == 500
    text = dsl.export(topology, "typed")
    for said in (
        'mode="CONTROL"',
        'ipv4="10.0.0.1" port="6633"',
        "logicalPort=2",
        'image="debian.iso"',
        "lineRate=10",
    ):
        assert said in text
    for said in (
        'switchMode="hard"',
        'fabricIPv4="10.10.10.1"',
        "cpuSpeed=2",
        "bandwidth=500",
        '{id="in"}',
        "eth2",
    ):
        assert said in text
    assert dsl.parse(text) == topology


def test_a_further_site_can_be_given() -> None:
    text = pair().replace("AMS", "osl")

    with pytest.raises(DslError, match="unknown location"):
        dsl.parse(text)
    assert dsl.parse(text, sites={"OSL": (59.91, 10.75)}).hosts[0].site == "OSL"


def test_a_fault_does_not_repeat_a_long_text() -> None:
    for text in ("Q" * 1_000_000, "1" * 1_000_000):
        for document in (
            f'Net {{ host {{ id="a" location="{text}" }} }}',
            f'Net {{ host {{ id="{text}" location="AMS" }} }}',
            f'N{text} {{ host {{ id="a" location="AMS" }} }}',
        ):
            (said,) = faults(document)
            assert len(said) < 300


def test_a_number_that_is_infinite_is_refused() -> None:
    assert faults(pair("version=1e999")) == ["7:9: 'version': a number beyond all; expected a smaller one"]
