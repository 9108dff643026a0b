"""Open vSwitch's datapath in a host's kernel, asked over generic netlink.

Its own program, ``ovs-dpctl``, comes in a package that brings Python along; Perl is on every
Debian. The messages are those of ``linux/openvswitch.h`` and ``linux/genetlink.h``.
"""

from __future__ import annotations

import re

from lab.errors import OverlayError
from lab.hosts.host import Host

NAME = "datapath"
COUNTERS = ("hit", "missed", "lost")
_PERL = r"""
use strict; use warnings; use Socket;
my ($what, $name) = @ARGV;
my ($request, $acknowledge, $error) = (1, 4, 2);
socket(my $netlink, 16, SOCK_RAW, 16) or die "netlink: $!\n";
sub attribute {
    my ($type, $data) = @_;
    return pack("SS", 4 + length $data, $type) . $data . "\0" x (-length($data) % 4);
}
sub attributes {
    my ($text, %found) = @_;
    while (length $text >= 4) {
        my ($length, $type) = unpack("SS", $text);
        $found{$type & 0x3fff} = substr($text, 4, $length - 4);
        $length += -$length % 4;
        $text = $length < length $text ? substr($text, $length) : "";
    }
    return \%found;
}
sub ask {
    my ($family, $flags, $command, $version, $body) = @_;
    my $message = pack("CCS", $command, $version, 0) . $body;
    send($netlink, pack("LSSLL", 16 + length $message, $family, $flags, 1, 0) . $message, 0)
        or die "netlink: $!\n";
    recv($netlink, my $said, 65536, 0);
    my ($length, $type) = unpack("LS", $said);
    return substr($said, 20, $length - 20) if $type != $error;
    $! = -unpack("x16l", $said);
    die "$!\n" if $!;
}
my $family = unpack("S", attributes(ask(16, $request, 3, 1, attribute(2, "ovs_datapath\0")))->{1});
my $which = pack("l", 0) . attribute(1, "$name\0");
if ($what eq "delete") {
    ask($family, $request | $acknowledge, 2, 2, $which);
} else {
    my @counts = unpack("QQQ", attributes(substr(ask($family, $request, 3, 2, $which), 4))->{3});
    print "hit:$counts[0] missed:$counts[1] lost:$counts[2]\n";
}
"""


async def counters(host: Host) -> dict[str, int]:
    """Count the packets that found a flow, had to go up to user space, and were lost on the way.

    Raises:
        OverlayError: the host has no such datapath, or its kernel no Open vSwitch.
    """
    result = await host.run(["perl", "-", "show", NAME], stdin=_PERL.encode(), check=False)
    counts = parse(result.stdout)
    if not counts:
        raise OverlayError(
            f"the counters of {host.name}'s fast datapath cannot be read: "
            f"{result.stderr.strip() or 'it printed none'}; see whether its router runs in fastdp"
        )
    return counts


async def delete(host: Host) -> None:
    """Remove the datapath, if there is one."""
    await host.run(["perl", "-", "delete", NAME], stdin=_PERL.encode(), check=False)


def parse(text: str) -> dict[str, int]:
    """Read the counters out of what was printed; {} where there are none."""
    found = re.search(" ".join(rf"{name}:(\d+)" for name in COUNTERS), text)
    return dict(zip(COUNTERS, map(int, found.groups()), strict=True)) if found else {}
