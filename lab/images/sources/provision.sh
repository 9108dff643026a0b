#!/bin/sh
# Equip a machine, or the image of one, for a part in the lab.
#
#   provision.sh ROLE                    host: a machine at a site; gtsperf: a measurement endpoint
#   provision.sh --packages ROLE [SUITE] print what the role needs on SUITE, one package a line
#
# The same script serves `docker build`, a root file system made by mmdebstrap, and a real
# virtual machine; doing it twice changes nothing. For the role `host` it takes the files
# of its neighbour folder host/ along. Debian and Ubuntu; needs root.
set -eu
export DEBIAN_FRONTEND=noninteractive
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "provision: $*"; }
fail() { echo "provision: $*" >&2; exit 1; }

suite() {
    # shellcheck source=/dev/null
    (. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

# docker.io             the host's own Docker daemon
# iproute2 iptables     links, routes, and the NAT of Docker's bridge
# etcd-server/-client   the key-value store of libnetwork and Flannel
# tinc wireguard-tools  overlays; wireguard-go is for kernels without WireGuard
# nebula yggdrasil      overlays, which Ubuntu 22.04 is not asked for: it is older than their packages
# libpcap0.8 libdbus-1-3 what a dynamically linked Weave router asks for
# conntrack ethtool tcpdump procps kmod iputils-ping curl   to look and to test
packages() { # ROLE SUITE
    case $1 in host | gtsperf) ;; *) fail "unknown role '$1'; known: host, gtsperf" ;; esac
    package_words "$1" "$2" | tr ' ' '\n'
}

package_words() { # ROLE SUITE
    case $1 in
        host)
            echo ca-certificates conntrack curl docker.io ethtool etcd-client etcd-server \
                iproute2 iptables iputils-ping kmod libdbus-1-3 procps tcpdump tinc tini \
                wireguard-go wireguard-tools
            [ "$2" = jammy ] || echo nebula yggdrasil
            case $2 in # a library whose name changed with 64-bit time, and the split of docker.io
                bookworm | jammy) echo libpcap0.8 ;;
                noble) echo libpcap0.8t64 ;;
                *) echo libpcap0.8t64 docker-cli ;;
            esac
            ;;
        gtsperf)
            echo ethtool iperf3 iproute2 iputils-ping netperf procps sockperf stress-ng tcpdump
            ;;
    esac
}

missing() { # ROLE
    for package in $(packages "$1" "$(suite)"); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
    done
}

# netperf lies in Debian's non-free component (Ubuntu: multiverse); name it beside the sources that are there
add_component() {
    [ -z "$(apt-cache madison netperf)" ] || return 0
    # shellcheck source=/dev/null
    distribution=$(. /etc/os-release && echo "$ID")
    component=non-free keyring=/usr/share/keyrings/$distribution-archive-keyring.gpg
    [ "$distribution" != ubuntu ] || component=multiverse
    [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
    list=/etc/apt/sources.list.d/lab-$component.list
    # shellcheck disable=SC2016  # the dollars are apt's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        while read -r uri release main; do
            [ "$main" = main ] || continue
            case $release in
                "$(suite)" | "$(suite)"-*) echo "deb ${signed:-}$uri $release $component" ;;
            esac
        done | sort -u > "$list"
    say "apt sources: component $component added in $list"
    apt-get update -q
}

install_packages() { # ROLE
    lacking=$(missing "$1")
    [ -n "$lacking" ] || { say "$1: every package is there"; return 0; }
    # shellcheck disable=SC2086,SC2116  # a list of words, on one line
    say "$1: installing $(echo $lacking)"
    apt-get update -q
    case $lacking in *netperf*) add_component ;; esac
    # shellcheck disable=SC2086  # a list of words
    apt-get install -q -y --no-install-recommends $lacking
    quiet_services "$lacking"
}

# Debian starts a service as soon as it is installed; the lab starts its own, with its own settings
quiet_services() { # NEW-PACKAGES
    [ -d /run/systemd/system ] || return 0
    for new in $1; do
        case $new in
            etcd-server) systemctl disable --now etcd.service ;;
            tinc) systemctl disable --now tinc.service ;;
            yggdrasil) systemctl disable --now yggdrasil.service ;;
        esac
    done
}

install_files() { # ROLE
    [ "$1" = host ] || return 0
    mkdir -p /usr/local/lib/lab /etc/docker /var/log/lab
    for file in docker-daemon entry; do
        cp "$here/host/$file" "/usr/local/lib/lab/.$file.new"
        chmod 755 "/usr/local/lib/lab/.$file.new"
        mv "/usr/local/lib/lab/.$file.new" "/usr/local/lib/lab/$file"
    done
}

case ${1:-} in
    --packages) packages "${2:?a role}" "${3:-$(suite)}" ;;
    '' | -*) fail "usage: provision.sh ROLE | provision.sh --packages ROLE [SUITE]" ;;
    *)
        packages "$1" "$(suite)" > /dev/null
        [ "$(id -u)" = 0 ] || fail "installing packages needs root"
        install_packages "$1"
        install_files "$1"
        say "$1: ready"
        ;;
esac
