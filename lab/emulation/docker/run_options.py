"""Containernet's parameters of a container as options of ``docker run``. Nothing is ignored.

`KNOWN` has every parameter that becomes options, `ELSEWHERE` those that the network itself
acts on, `REFUSED` those that are not supported, each with the reason. Anything else is an error
that names it. The table in ``docs/reference/containernet.md`` is made from these three.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lab.emulation.docker.capabilities import CONTAINER_CAPABILITIES
from lab.emulation.docker.containers import cpu_argv
from lab.errors import TopologyError, nearest

Options = Callable[[Any], list[str]]

PROPAGATION = ("shared", "slave", "private", "rshared", "rslave", "rprivate")
#: Modes of a volume, and what ``--mount`` calls them.
MOUNT_WORDS: dict[str, list[str]] = {"": [], "rw": [], "ro": ["readonly"]}
MOUNT_WORDS |= {word: [f"bind-propagation={word}"] for word in PROPAGATION}


@dataclass(frozen=True)
class RunOptions:
    """Parameters of one container, translated; `capabilities` is all that it may do."""

    options: tuple[str, ...]
    env: Mapping[str, str]
    capabilities: tuple[str, ...]


def translate(name: str, params: Mapping[str, Any]) -> RunOptions:
    """The options of a container; a parameter that is None counts as not given.

    Raises:
        TopologyError: a parameter that is not supported, or cannot have its value; it is named.
    """
    given = {key: value for key, value in params.items() if value is not None}
    if "cpus" in given and {"cpu_quota", "cpu_period"} & set(given):
        raise TopologyError(f"host {name!r}: cpus and cpu_quota/cpu_period say the same; give one of them")
    options: list[str] = []
    for key, value in given.items():
        _check_known(name, key, value)
        if key in KNOWN:
            options += _converted(name, key, KNOWN[key][0], value)
    return RunOptions(
        tuple(options),
        _converted(name, "environment", pairs, given.get("environment", {})),
        capabilities(given.get("cap_add", ()), given.get("cap_drop", ())),
    )


def _check_known(name: str, key: str, value: Any) -> None:
    if key in REFUSED and (value or key not in HARMLESS):
        raise TopologyError(f"host {name!r}: {key}={value!r} is not supported: {REFUSED[key]}")
    if key == "network_mode" and value not in ("none", ""):
        raise TopologyError(f"host {name!r}: network_mode={value!r} is not supported: {NETWORK_MODE}")
    known = {*KNOWN, *ELSEWHERE, *REFUSED}
    if key not in known:
        near = nearest(key, sorted(known))
        hint = f"did you mean {near!r}?" if near else "docs/reference/containernet.md lists what is"
        raise TopologyError(f"host {name!r}: the parameter {key} is not supported; {hint}")


def _converted(name: str, key: str, function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return function(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise TopologyError(f"host {name!r}: {key}={value!r} cannot be used: {error}") from error


def capabilities(add: Iterable[str], drop: Iterable[str] = ()) -> tuple[str, ...]:
    """Add to the capabilities of a container, and take from them."""
    wanted = dict.fromkeys((*CONTAINER_CAPABILITIES, *map(_capability, add)))
    dropped = set(map(_capability, drop))
    return () if "ALL" in dropped else tuple(c for c in wanted if c not in dropped)


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def command(words: str | Iterable[str] | None) -> tuple[str, ...]:
    """A command as words; a string is split as a shell would."""
    return tuple(shlex.split(words) if isinstance(words, str) else words or ())


def pairs(value: Any) -> dict[str, str]:
    """``{"K": "V"}`` or ``["K=V"]`` as a mapping of strings."""
    if isinstance(value, Mapping):
        return {str(k): _text(v) for k, v in value.items()}
    return dict(_split(word, "=") for word in value)


def _split(word: str, sign: str) -> tuple[str, str]:
    key, found, value = word.partition(sign)
    if not found:
        raise ValueError(f"{word!r} has no {sign!r}")
    return key, value


def _text(value: Any) -> str:
    """A value as the kernel and programs write it: Python's True is 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def mount(volume: str) -> str:
    """One volume (``/outside:/inside[:options]``) as an option that fails where /outside is missing.

    Docker itself would make a missing folder, or a volume of that name, and both would stay
    behind. ``/inside`` alone is a volume that goes with its container.
    """
    outside, *rest = str(volume).split(":")
    if not PurePosixPath(outside).is_absolute():
        raise ValueError(f"{outside!r} is no absolute path; a named volume would stay behind")
    if not rest:
        return f"--volume={outside}"
    words = ["type=bind", f"source={outside}", f"target={rest[0]}"]
    for word in ",".join(rest[1:]).split(","):
        if word not in MOUNT_WORDS:
            raise ValueError(f"{word!r} is no mode of a volume; there are ro, rw, {', '.join(PROPAGATION)}")
        words += MOUNT_WORDS[word]
    return "--mount=" + ",".join(f'"{word}"' if set(word) & set(',"') else word for word in words)


def volumes(value: Any) -> list[str]:
    """``["/outside:/inside:ro"]``, or ``{"/outside": {"bind": "/inside", "mode": "ro"}}``."""
    if isinstance(value, Mapping):
        value = [
            f"{outside}:{at['bind']}:{at.get('mode', 'rw')}" if isinstance(at, Mapping) else f"{outside}:{at}"
            for outside, at in value.items()
        ]
    return [mount(volume) for volume in _several(value)]


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value)


def _tmpfs(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = [f"{at}:{options}" if options else at for at, options in value.items()]
    return [f"--tmpfs={word}" for word in _several(value)]


def _device(value: Any) -> str:
    if isinstance(value, Mapping):
        words = (value["PathOnHost"], value["PathInContainer"], value.get("CgroupPermissions", "rwm"))
        return ":".join(words)
    return str(value)


def _extra_hosts(value: Any) -> list[str]:
    known = value if isinstance(value, Mapping) else dict(_split(word, ":") for word in value)
    return [f"--add-host={name}:{address}" for name, address in known.items()]


def _flag(option: str, convert: Callable[[Any], object] = str) -> Options:
    return lambda value: [f"--{option}={convert(value)}"]


def _settings(option: str) -> Options:
    return lambda value: [f"--{option}={k}={v}" for k, v in pairs(value).items()]


#: Parameter: the options that it becomes, and what it means.
KNOWN: dict[str, tuple[Options, str]] = {
    "cpus": (
        lambda v: cpu_argv(float(v)),
        "share of the processors, 1.0 is one processor; accounted in periods of 5 ms",
    ),
    "cpu_quota": (_flag("cpu-quota", int), "µs of processor time in a period"),
    "cpu_period": (_flag("cpu-period", int), "µs; the period of `cpu_quota`"),
    "cpu_shares": (_flag("cpu-shares", int), "weight against other containers when all are busy"),
    "cpuset_cpus": (_flag("cpuset-cpus"), "processors to run on: `'0,2'`, `'0-3'`"),
    "mem_limit": (_flag("memory"), "bytes, or with a unit: `'64m'`"),
    "memory": (_flag("memory"), "the lab's own name for `mem_limit`"),
    "memswap_limit": (_flag("memory-swap"), "memory and swap together; where the kernel accounts for swap"),
    "volumes": (volumes, "`['/outside:/inside:ro']`; `/outside` must exist, named volumes are refused"),
    "tmpfs": (_tmpfs, "`['/inside:size=3G,uid=1000']`"),
    "devices": (lambda v: [f"--device={_device(word)}" for word in _several(v)], "`['/dev/net/tun']`"),
    "sysctls": (_settings("sysctl"), "`{'net.ipv4.ip_forward': 1}`"),
    "storage_opt": (_settings("storage-opt"), "`{'size': '1G'}`; where Docker's storage can, else an error"),
    "shm_size": (_flag("shm-size"), "size of /dev/shm: `'64mb'`"),
    "ipc_mode": (_flag("ipc"), "`'shareable'`, `'container:mn.d1'` (or plain `'container:d1'`)"),
    "dns": (
        lambda v: [f"--dns={word}" for word in _several(v)],
        "servers to write into /etc/resolv.conf; the network has none of its own",
    ),
    "extra_hosts": (_extra_hosts, "lines for /etc/hosts: `{'web': '10.0.0.2'}`"),
    "runtime": (_flag("runtime"), "the runtime, as Docker knows it"),
    "user": (_flag("user"), "user of the container's first process, and of `cmd`"),
}

#: Parameters that are acted on elsewhere, and what they mean.
ELSEWHERE = {
    "dimage": "the image; pulled if it is missing and a registry answers. Default: the lab's own kind of "
    "host, with a Docker daemon inside",
    "dcmd": "the first process, instead of the image's ENTRYPOINT and CMD; default: an idle `sh`, or the "
    "image's own command where it has no `sh`",
    "build_params": "builds the image first; as docker-py's `images.build`: `path`, `dockerfile`, `tag`, …",
    "environment": "`{'NAME': 'value'}` or `['NAME=value']`",
    "cap_add": "more capabilities than Docker's default and NET_ADMIN",
    "cap_drop": "fewer of them",
    "network_mode": "only None and `'none'`",
    "ports": "ports that `publish_all_ports` publishes: `[80, (53, 'tcp')]`; only TCP",
    "port_bindings": "`{80: 8080}`, `{80: ('0.0.0.0', 8080)}`, `{80: None}` for any free one; only TCP, on "
    "127.0.0.1 unless an address is given",
    "publish_all_ports": "publishes `ports` and what the image EXPOSEs on free ports: see `d.published`; "
    "default False",
    "ip": "address of the first interface, `'10.0.0.251/8'`; without a length a /8, as in Mininet",
    "mac": "hardware address of the first interface",
    "defaultRoute": "`'via 10.0.0.254'` or an interface's name",
    "rm": "accepted: names carry the lab's id, so no older container has this one",
    "site": "the lab's own parameter: the site of the host",
}

NETWORK_MODE = (
    "a container's network is the lab's links and nothing else; leave it out, and use port_bindings to "
    "reach a service from this machine"
)
#: Parameters that are not supported, and why; those of `HARMLESS` may be given as False or empty.
REFUSED = {
    "privileged": "no container of a lab is privileged; ask for what it needs with cap_add and devices",
    "device_requests": "graphics processors are not passed on",
    "security_opt": "containers keep Docker's own confinement",
    "pid_mode": "a container's processes are its own",
    "cgroup_parent": "Docker places its containers itself, on cgroup v1 and v2",
    "restart_policy": "a container that ends is an error to be seen, not to be hidden",
    "auto_remove": "every container goes with the lab",
    "volumes_from": "name the folders in volumes",
    "links": "Docker's own links do not cross a lab's network; use addLink and extra_hosts",
    "cores": "pin a container with cpuset_cpus",
    "privateDirs": "give each container a tmpfs or a volume of its own",
}
HARMLESS = {"privileged", "device_requests", "security_opt", "auto_remove", "links", "privateDirs"}


def table() -> str:
    """Write the table of container parameters in ``docs/reference/containernet.md``."""
    known = {**{key: meaning for key, (_, meaning) in KNOWN.items()}, **ELSEWHERE}
    return markdown("addDocker", known, REFUSED)


def markdown(title: str, known: Mapping[str, str], refused: Mapping[str, str]) -> str:
    """Two kinds of parameters as one table."""
    rows = [[f"`{title}`", "", "meaning, or why not"], ["---"] * 3]
    rows += [[f"`{key}`", "yes", meaning] for key, meaning in sorted(known.items())]
    rows += [[f"`{key}`", "no", why] for key, why in sorted(refused.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
