"""The data plane of a machine: addresses 192.168.<link>.<host>/24 on its ports, as one script.

The script lies on the machine and can be run again at any time; a unit of systemd runs it after a
reboot where that was asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from lab.testbed.port_mapping import LinkEnd
from lab.testbed.survey import Interface
from lab.testbed.undo_record import BOOT, NOTE

SCRIPT = "/usr/local/lib/lab/data-plane"
UNIT = "/etc/systemd/system/lab-data-plane.service"
RP_FILTERS = "/proc/sys/net/ipv4/conf"
#: How long a port may take until it has a carrier (s): a network card settles on a speed first.
CARRIER = 5

_HEAD = f"""\
#!/bin/sh
# The data plane of this host, as `lab testbed prepare` made it; `lab testbed restore` takes it away.
set -eu
boot=$(cat {BOOT})

# what is made is noted before, in a file by which `restore` goes
{NOTE}
port() {{ # INTERFACE ADDRESS MTU
    ip link set "$1" mtu "$3" up
    # it may be where an inventory said before that was wrong
    ip -o -4 addr show | while read -r _ device _ address _; do
        [ "$address" != "$2" ] || [ "$device" = "$1" ] || ip addr del "$2" dev "$device"
    done
    if ! ip -o -4 addr show dev "$1" | grep -qF " $2 "; then
        note address "$boot" "$1" "$2"
        ip addr add "$2" dev "$1"
    fi
    # Docker drops what a host forwards where it has turned forwarding on itself
    if ! iptables -w -C FORWARD -i "$1" -j ACCEPT 2>/dev/null; then
        note rule "$boot" "$1"
        iptables -w -I FORWARD -i "$1" -j ACCEPT
    fi
    # a way there and another back is no forgery: loose in place of strict (RFC 3704). Of the value for all
    # interfaces and that of this one, the larger counts
    case "$(cat {RP_FILTERS}/all/rp_filter)$(cat "{RP_FILTERS}/$1/rp_filter")" in
        01 | 10 | 11) echo 2 > "{RP_FILTERS}/$1/rp_filter" ;;
    esac
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


def undo_lines(now: Interface, before: Interface, added: Collection[str] = ()) -> list[str]:
    """Return lines that give an interface back what it was, without the addresses that the lab added."""
    name, addresses = shlex.quote(now.name), [a for a in now.addresses if a in added]
    lines = [f"ip addr del {a} dev {name} || :" for a in addresses if a not in before.addresses]
    lines.append(f"ip link set {name} mtu {before.mtu} || :")
    return lines + ([] if before.up else [f"ip link set {name} down || :"])


def undo_filter(name: str, now: str, before: str) -> list[str]:
    """Return the line that gives an interface back its check of source addresses, if it has another now."""
    changed = now and before and now != before
    return [f"echo {before} > {shlex.quote(f'{RP_FILTERS}/{name}/rp_filter')}"] if changed else []


def undo_rule(interface: str) -> str:
    """Return the line that deletes the one rule by which a port forwards."""
    return f"iptables -w -D FORWARD -i {shlex.quote(interface)} -j ACCEPT || :"
