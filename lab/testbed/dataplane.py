"""The data plane of a machine: addresses 192.168.<link>.<host>/24 on its ports, as one script.

The script lies on the machine and can be run again at any time; a unit of systemd runs it after a
reboot where that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.testbed.port_mapping import LinkEnd
from lab.testbed.survey import Interface

SCRIPT = "/usr/local/lib/lab/data-plane"
UNIT = "/etc/systemd/system/lab-data-plane.service"
#: How long a port may take until it has a carrier (s): a network card settles on a speed first.
CARRIER = 5

_HEAD = f"""\
#!/bin/sh
# The data plane of this host, as `lab testbed prepare` made it; `lab testbed restore` takes it away.
set -eu

port() {{ # INTERFACE ADDRESS MTU
    ip link set "$1" mtu "$3" up
    # it may be where an inventory said before that was wrong
    ip -o -4 addr show | while read -r _ device _ address _; do
        [ "$address" != "$2" ] || [ "$device" = "$1" ] || ip addr del "$2" dev "$device"
    done
    ip -o -4 addr show dev "$1" | grep -qF " $2 " || ip addr add "$2" dev "$1"
    # Docker drops what a host forwards where it has turned forwarding on itself
    iptables -w -C FORWARD -i "$1" -j ACCEPT 2>/dev/null || iptables -w -I FORWARD -i "$1" -j ACCEPT
    # a way there and another back is no forgery: loose in place of strict (RFC 3704)
    conf=/proc/sys/net/ipv4/conf
    [ "$(cat $conf/all/rp_filter)" != 1 ] || echo 2 > "$conf/$1/rp_filter"
    tries={CARRIER * 20}
    until ip -o link show dev "$1" | grep -q LOWER_UP || [ $tries = 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
    done
}}

echo 1 > /proc/sys/net/ipv4/ip_forward
"""

#: Makes systemd run the script after a reboot.
UNIT_TEXT = f"""\
[Unit]
Description=Data plane of the lab
After=network.target docker.service

[Service]
Type=oneshot
ExecStart={SCRIPT}

[Install]
WantedBy=multi-user.target
"""


def setup_script(ends: Sequence[LinkEnd]) -> str:
    """Return the script of one machine."""
    return _HEAD + "".join(f"{port_line(end)}\n" for end in ends)


def port_line(end: LinkEnd) -> str:
    """Return the line that sets up one port."""
    return f"port {end.interface} {end.with_length} {end.link.mtu}   # to {end.peer}"


def undo_lines(now: Interface, before: Interface) -> list[str]:
    """Return lines that give an interface back what it was; what is gone already is no error."""
    lines = [f"ip addr del {a} dev {now.name} || :" for a in now.addresses if a not in before.addresses]
    lines.append(f"while iptables -w -D FORWARD -i {now.name} -j ACCEPT; do :; done")
    lines.append(f"ip link set {now.name} mtu {before.mtu} || :")
    return lines + ([] if before.up else [f"ip link set {now.name} down || :"])
