"""Labels of hosts and links, and topologies for Graphviz (.dot) and Mermaid (.mmd)."""

from __future__ import annotations

from lab.topology import Topology
from lab.topology.specs import LinkSpec
from lab.util.documents import printable

#: Points on paper for a degree of latitude.
SCALE = 40.0


def link_label(link: LinkSpec) -> list[str]:
    """Label a link: its round trip and, when it has one, its rate."""
    return [f"{link.rtt:g} ms"] + ([f"{link.rate:g} Mbit/s"] if link.rate is not None else [])


def host_label(topology: Topology, name: str) -> list[str]:
    """Label a host: its name, and the site's where it is another."""
    host = topology.host(name)
    return [name] if host.site in name.upper() else [name, host.site]


def dot(topology: Topology) -> str:
    """Write Graphviz source; the places are those on the map, for `neato -n`."""
    lines = [f'graph "{_quoted(topology.name)}" {{', '  node [shape=box, style=rounded, fontname="sans"];']
    for host in topology.hosts:
        label = "\\n".join(map(_quoted, host_label(topology, host.name)))
        pos = ""
        if site := topology.sites.get(host.site):
            pos = f', pos="{site.longitude * SCALE * 0.65:.0f},{site.latitude * SCALE:.0f}"'
        lines.append(f'  "{host.name}" [label="{label}"{pos}];')
    for link in topology.links:
        label = "\\n".join(link_label(link))
        lines.append(f'  "{link.a}" -- "{link.b}" [label="{label}"];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(topology: Topology) -> str:
    """Write Mermaid source."""
    names = (f'  h{h.number}["{"<br/>".join(host_label(topology, h.name))}"]' for h in topology.hosts)
    lines = ["graph LR", *names]
    for link in topology.links:
        a, b = (topology.host(end).number for end in (link.a, link.b))
        lines.append(f'  h{a} -- "{"<br/>".join(link_label(link))}" --- h{b}')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
