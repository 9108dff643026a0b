"""Containernet's calls on real containers and links: what a script expects is there, and then gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.containernet import Containernet, Docker, LinuxBridge, OVSSwitch, RemoteController, TCLink
from lab.errors import CommandError, HostError, LabError, TopologyError, UnknownName
from tests.integration.inventory import command_lines, inventory

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "lab/gtsperf"


@pytest.fixture
def net(nothing_left: None) -> Iterator[Any]:
    net = Containernet()
    try:
        yield net
    finally:
        net.stop()


@pytest.fixture(scope="module")
def images(docker_daemon: None) -> Iterator[dict[str, str]]:
    """An image with `sh` but not `bash`, and one without any shell, which can only run its command."""
    from lab.emulation.docker.daemon import client

    no_bash = 'FROM lab/gtsperf\nRUN rm -f /bin/bash\nENV MADE=here\nEXPOSE 8000\nCMD ["sleep", "54321"]\n'
    no_shell = 'FROM lab/gtsperf\nRUN rm -f /bin/bash /bin/dash /bin/sh\nCMD ["sleep", "54321"]\n'
    docker = client()
    made = {}
    for name, text in (("no-bash", no_bash), ("no-shell", no_shell)):
        tag = f"lab-test-{name}"
        argv = ["docker", "build", "--quiet", "--network=none", f"--tag={tag}", "-"]
        subprocess.run(argv, input=text.encode(), check=True, capture_output=True)
        made[name] = tag
    yield made
    for tag in made.values():
        docker.images.remove(tag, force=True)
    docker.close()


def rtt(net: Any, a: Any, b: Any) -> float:
    """The shortest of five round trips between two hosts, ms: a busy machine delays some of them."""
    trips = []
    for _ in range(5):
        ((_, _, result), *_) = net.pingFull([a, b])
        assert result[1] == 1, f"no answer from {b} to {a}"
        trips.append(float(result[3]))
    return min(trips)


def test_the_links_of_a_script_have_the_delay_that_was_asked(net: Any) -> None:
    # given two containers behind two switches, and a container on a direct link
    d1 = net.addDocker("d1", ip="10.0.0.251", dimage=IMAGE)
    d2 = net.addDocker("d2", ip="10.0.0.252", dimage=IMAGE)
    s1, s2 = net.addSwitch("s1"), net.addSwitch("s2", cls=OVSSwitch)
    net.addLink(d1, s1)
    middle = net.addLink(s1, s2, cls=TCLink, delay="20ms", bw=50)
    net.addLink("s2", "d2")
    net.start()
    # then it holds in both directions
    assert net.ping([d1, d2]) == 0.0
    assert 40.0 <= rtt(net, d1, d2) < 43.0
    # and from inside, with the image's own ping
    assert "1 received" in d1.cmd("ping -c1 10.0.0.252")
    # when one direction is shaped anew while it runs, then it counts
    middle.intf1.config(delay="5ms")
    assert 25.0 <= rtt(net, d1, d2) < 28.0
    # when a link is cut and joined again
    net.configLinkStatus("s1", "s2", "down")
    assert net.ping([d1, d2], timeout=1) == 100.0
    net.configLinkStatus("s1", "s2", "up")
    assert net.ping([d1, d2]) == 0.0


def test_each_end_of_a_link_may_be_shaped_by_itself(net: Any) -> None:
    d1, d2 = (net.addDocker(name, dimage=IMAGE) for name in ("d1", "d2"))
    net.addLink(
        d1, d2, params1={"delay": "10ms", "ip": "10.9.0.1/24"}, params2={"delay": "30ms", "ip": "10.9.0.2/24"}
    )
    assert (d1.IP(), d2.IP()) == ("10.9.0.1", "10.9.0.2")
    assert 40.0 <= rtt(net, d1, d2) < 43.0


def test_throughput_stays_below_the_rate_that_was_asked(net: Any) -> None:
    d1, d2 = (net.addDocker(name, dimage=IMAGE) for name in ("d1", "d2"))
    net.addLink(d1, d2, bw=20, delay="5ms")
    received, _ = net.iperf([d1, d2], seconds=3)
    number, unit = received.split()
    assert unit == "Mbits/sec"
    assert 10.0 < float(number) < 20.5


def test_nodes_and_links_come_and_go_while_the_network_runs(net: Any) -> None:
    d1, d2 = (net.addDocker(name, dimage=IMAGE) for name in ("d1", "d2"))
    s1 = net.addSwitch("s1")
    for node in (d1, d2):
        net.addLink(node, s1)
    net.start()
    # when a container comes
    d3 = net.addDocker("d3", dimage=IMAGE)
    net.addLink(d3, s1, params1={"ip": "10.0.0.254/8"})
    # then it is reached
    assert net.ping([d1], manualdestip="10.0.0.254") == 0.0
    # when a link goes, then its end is not reached and the interfaces are gone
    net.removeLink(node1=d2, node2=s1)
    assert net.ping([d1], manualdestip=d3.IP()) == 0.0
    assert "d2-eth0" not in d2.cmd("ls /sys/class/net")
    # when it comes back, then it has its address again
    net.addLink(d2, s1)
    assert net.ping([d1, d2]) == 0.0
    # when a container goes, then its link goes with it
    assert net.removeDocker("d3")
    assert [str(h) for h in net.hosts] == ["d1", "d2"]
    assert len(net.links) == 2
    assert net.ping([d1], manualdestip="10.0.0.254", timeout=1) == 100.0
    assert "lab-" + net.backend.lab_id + "-d3" not in inventory()["containers"]


def test_commands_run_inside_where_the_image_has_a_shell(net: Any, images: dict[str, str]) -> None:
    d1 = net.addDocker("d1", dimage=images["no-bash"], environment={"ASKED": "a  b"})
    assert d1.cmd('echo "$MADE, $ASKED, $(hostname)"').strip() == "here, a  b, d1"
    assert "command not found" in d1.cmd("bash -c true") or "not found" in d1.cmd("bash -c true")
    # and what is begun can be awaited, and interrupted
    d1.sendCmd("echo begun; sleep 60")
    while "begun" not in (said := d1.monitor()):
        assert d1.waiting, said
    d1.sendInt()
    d1.waitOutput()
    assert d1.cmd("echo after").strip() == "after"
    # a shell that was ended is not waited for, and there is another
    d1.cmd("exit")
    assert d1.cmd("echo again").strip() == "again"
    out, err, status = d1.pexec("ls /nowhere")
    assert (out, status) == ("", 2)
    assert "nowhere" in err
    # when the image's own command is asked for, then it runs beside
    assert "54321" not in d1.cmd("ps -ef")
    d1.start()
    assert "sleep 54321" in d1.cmd("ps -ef")


def test_an_image_without_any_shell_runs_its_command_and_has_the_labs_tools(
    net: Any, images: dict[str, str]
) -> None:
    d1 = net.addDocker("d1", dimage=images["no-shell"])
    d2 = net.addDocker("d2", dimage=IMAGE)
    net.addLink(d1, d2, delay="5ms")
    assert d1.dcinfo["Config"]["Cmd"] == ["sleep", "54321"]
    assert net.ping([d1, d2]) == 0.0
    assert "d1-eth0" in d1.cmd("ip -br address")
    assert "1 received" in d1.cmd("ping -c1 " + d2.IP())


def test_limits_are_set_and_changed_while_it_runs(net: Any) -> None:
    d1 = net.addDocker("d1", dimage=IMAGE, cpu_period=50000, cpu_quota=10000, mem_limit="128m")
    d2 = net.addDocker("d2", dimage=IMAGE)
    assert limits(d1) == ("10000", "50000", str(128 << 20))
    d1.updateCpuLimit(cpu_period=50001, cpu_quota=20000, cpu_shares=512)
    d1.updateMemoryLimit(mem_limit=66093056)
    assert limits(d1) == ("20000", "50001", "66093056")
    assert (d1.resources["cpu_quota"], d1.resources["cpu_shares"]) == (20000, 512)
    d1.updateCpuLimit(cpu_quota=-1)
    assert limits(d1)[0] in ("-1", "max")
    d2.updateMemoryLimit(mem_limit=66093056, memswap_limit=-1)
    assert limits(d2)[2] == "66093056"
    with pytest.raises(LabError, match="d2: kernel_memory cannot be changed"):
        d2.update_resources(kernel_memory=1)
    with pytest.raises(CommandError, match=r"d2: .*docker update"):
        d2.updateMemoryLimit(mem_limit=1)


def limits(node: Any) -> tuple[str, str, str]:
    """Quota, period and memory, as the kernel has them: cgroup v1 or v2."""
    v1 = "cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes"
    said = node.cmd(f"cd /sys/fs/cgroup; {v1} 2>/dev/null || cat cpu.max memory.max; cd /")
    quota, period, memory = said.split()
    return quota, period, memory


def test_files_ports_and_names_are_what_was_asked(net: Any, images: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("from outside\n")
    d1 = net.addDocker(
        "d1",
        dimage=images["no-bash"],
        volumes=[f"{tmp_path}:/site:ro"],
        tmpfs=["/scratch:size=1m"],
        extra_hosts={"web": "10.0.0.9"},
        dns=["10.0.0.53"],
        sysctls={"net.ipv4.ip_forward": 1},
        port_bindings={8000: None},
        ports=[8001],
        publish_all_ports=True,
        ipc_mode="shareable",
        rm=True,
    )
    d2 = net.addDocker("d2", dimage=IMAGE, ipc_mode="container:mn.d1")
    assert "from outside" in d1.cmd("cat /site/index.html")
    assert "Read-only" in d1.cmd("touch /site/x")
    assert "10.0.0.9" in d1.cmd("grep web /etc/hosts")
    assert "10.0.0.53" in d1.cmd("cat /etc/resolv.conf")
    assert d1.cmd("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    assert d1.cmd("readlink /proc/self/ns/ipc") == d2.cmd("readlink /proc/self/ns/ipc")
    assert set(d1.published) == {8000, 8001}


def test_a_published_port_leads_into_the_container(net: Any) -> None:
    d1 = net.addDocker("d1", dimage=IMAGE, port_bindings={12865: None})
    d1.cmd("netserver -4 -p 12865 >/dev/null")
    with socket.create_connection(d1.published[12865], timeout=5) as line:
        # netperf's control protocol answers nothing to nonsense, and closes
        line.sendall(b"\0" * 1000)
        line.shutdown(socket.SHUT_WR)
        line.settimeout(5)
        assert line.recv(4096) is not None
    with pytest.raises(LabError, match="d2: its port 80 cannot be published"):
        net.addDocker("d2", dimage=IMAGE, port_bindings={80: d1.published[12865]})


def test_an_image_is_built_where_it_is_asked_for(net: Any, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.own").write_text(f"FROM {IMAGE}\nENV BUILT=yes\n")
    build = {"path": str(tmp_path), "dockerfile": "Dockerfile.own", "network_mode": "none"}
    d1 = net.addDocker("d1", dimage="lab-test-built", build_params=build)
    try:
        assert d1.cmd("echo $BUILT").strip() == "yes"
    finally:
        net.removeDocker("d1")
        subprocess.run(["docker", "rmi", "lab-test-built"], check=True, capture_output=True)


def test_plain_hosts_switches_in_a_ring_and_classes_of_ones_own(net: Any) -> None:
    class Router(Docker):
        def config(self, **params: Any) -> Any:
            super().config(**params)
            self.mark = self.cmd("echo configured").strip()

    h1, d1 = net.addHost("h1"), net.addDocker("d1", cls=Router, dimage=IMAGE, colour="red")
    ring = [net.addSwitch(f"s{n}", stp=True) for n in range(3)]
    for n in range(3):
        net.addLink(ring[n], ring[(n + 1) % 3])
    net.addLink(h1, ring[0])
    net.addLink(d1, ring[1])
    net.start()
    assert net.waitConnected(timeout=20)
    assert net.pingAll() == 0.0
    assert d1.mark == "configured"
    assert "h1-eth0" in h1.cmd("ip -br address")
    h1.setDefaultRoute(f"via {d1.IP()}")
    assert d1.IP() in h1.cmd("ip route show default")


def test_this_machine_at_a_switch_of_the_network(net: Any) -> None:
    net.addExtSAP("sap1", "198.18.77.1/24")
    d1 = net.addDocker("d1", dimage=IMAGE, ip="198.18.77.2/24")
    net.addLink(d1, "sap1")
    assert net.ping([d1], manualdestip="198.18.77.1") == 0.0
    with pytest.raises(TopologyError, match=r"addExtSAP\('sap2'\): 198.18.77.0/25 holds"):
        net.addExtSAP("sap2", "198.18.77.65/25")
    with pytest.raises(LabError, match="NAT is not supported"):
        net.addExtSAP("sap3", "198.18.78.1/24", NAT=True)
    net.removeExtSAP("sap1")
    assert "198.18.77.1" not in subprocess.run(["ip", "address"], capture_output=True, text=True).stdout


def test_what_cannot_be_had_is_named_and_leaves_nothing(net: Any) -> None:
    d1, d2 = (net.addDocker(name, dimage=IMAGE) for name in ("d1", "d2"))
    before = inventory()
    for ask, said in (
        (lambda: net.addLink(d1, d2, use_hfsc=True), "use_hfsc"),
        (lambda: net.addLink(d1, d2, colour="red"), "colour is not supported; a link can have bw, delay"),
        (
            lambda: net.addDocker("d3", dimage=IMAGE, shm_siz="1g"),
            "shm_siz is not supported; did you mean 'shm_size'",
        ),
        (
            lambda: net.addDocker("d3", dimage=IMAGE, network_mode="host"),
            "network_mode='host' is not supported",
        ),
        (lambda: net.addDocker("d1", dimage=IMAGE), "node 'd1' is there already"),
        (lambda: net.addDocker("d3", dimage=IMAGE, volumes=["/no/such/folder:/x"]), "/no/such/folder"),
        (lambda: net.addDocker("d3", dimage=IMAGE, dcmd="no-such-program"), "no-such-program"),
        (lambda: net.addHost("h1", cpu=0.5), "cpu is not supported for a plain host"),
        (lambda: net.addSwitch("s1", protocols="OpenFlow13"), "protocols='OpenFlow13' is not supported"),
        (
            lambda: net.addController("c0", RemoteController, ip="127.0.0.1"),
            "a RemoteController is not supported",
        ),
        (lambda: net.addNAT(), "no way out"),
        (lambda: net.addLink("d1", "d9"), "unknown node 'd9'"),
        (lambda: net.removeLink(node1=d1, node2=d2), "unknown link 'd1-d2'"),
        (lambda: net.addSwitch("a-switch-with-a-long-name"), "15 letters"),
        (lambda: Containernet(xterms=True), "xterms=True is not supported"),
    ):
        with pytest.raises((LabError, HostError, UnknownName), match=said):
            ask()
    after = inventory()
    made_at_first_use = {f"lab-{net.backend.lab_id}", f"lab-{net.backend.lab_id}-switches"}
    new = {n.split()[0] for n in after["namespaces"]} - {n.split()[0] for n in before["namespaces"]}
    assert new <= made_at_first_use
    assert after["containers"] == before["containers"]


def run_script(text: str, stdin: bytes = b"") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


BEGIN = f"""
from lab.containernet import *
net = Containernet()
d1, d2, s1 = net.addDocker("d1", dimage="{IMAGE}"), net.addDocker("d2", dimage="{IMAGE}"), net.addSwitch("s1")
net.addLink(d1, s1, delay="5ms")
net.addLink(d2, s1)
d1.cmd("sleep 1000 &")
net.addHost("h1").cmd("sleep 1000 &")
net.addExtSAP("sap", "198.18.79.1/24")
"""


def test_the_prompt_of_mininet_works_on_it(nothing_left: None) -> None:
    lines = ["nodes", "net", "links", "dump", "d1 ping -c1 d2", "py d2.IP()", "d1 hostname", "dpctl x"]
    lines += ["link d1 s1 down", "py net.ping([d1, d2], timeout=1)", "exit"]
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + "CLI(net)\nnet.stop()\n"],
        cwd=ROOT,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for word in (
        "d1 d2 h1 s1",
        "d1-eth0<->s1-eth1 (OK OK)",
        "1 received",
        "10.0.0.2",
        "d1\n",
        "100% dropped",
    ):
        assert word in said, said
    assert "dpctl is not supported" in said


def test_ctrl_c_at_the_prompt_ends_the_command_and_not_the_network(nothing_left: None) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    text = BEGIN + "CLI(net)\nnet.stop()\n"
    script = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, text=True, bufsize=1, **pipes)
    assert script.stdin is not None
    assert script.stdout is not None
    try:
        script.stdin.write("d1 echo begun; sleep 6001\n")
        while "begun" not in (line := script.stdout.readline()):
            assert line, "the script ended"
        # between two commands, the shell itself gets the Ctrl-C, and then begins the next one
        deadline = time.monotonic() + 30
        while not any(words.startswith("sleep 6001") for words in command_lines()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        script.send_signal(signal.SIGINT)
        said, _ = script.communicate("d1 echo still there\nexit\n", timeout=40)
    finally:
        script.kill()
        script.wait()
    assert script.returncode == 0, said
    assert "still there" in said


def test_a_script_that_fails_in_the_middle_leaves_nothing(nothing_left: None) -> None:
    script = run_script(BEGIN + "raise RuntimeError('in the middle')\n")
    _, err = script.communicate(timeout=60)
    assert script.returncode == 1
    assert b"RuntimeError: in the middle" in err


def test_a_script_that_just_ends_leaves_nothing(nothing_left: None) -> None:
    script = run_script(BEGIN)
    _, err = script.communicate(timeout=60)
    assert (script.returncode, err) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(nothing_left: None, number: signal.Signals) -> None:
    script = run_script(BEGIN + "print('ready', flush=True)\nnet.iperf([d1, d2], seconds=60)\n")
    assert script.stdout is not None
    assert b"ready" in script.stdout.readline()
    script.send_signal(number)
    _, err = script.communicate(timeout=60)
    assert script.returncode == (-signal.SIGINT if number == signal.SIGINT else 128 + number), err


def test_a_killed_script_is_cleaned_up_after(docker_daemon: None) -> None:
    before = inventory()
    script = run_script(BEGIN + "print('ready', flush=True)\nimport time; time.sleep(60)\n")
    assert script.stdout is not None
    assert b"ready" in script.stdout.readline()
    os.kill(script.pid, signal.SIGKILL)
    script.communicate()
    done = subprocess.run([sys.executable, "-m", "lab", "cleanup"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert inventory() == before


def test_a_lab_is_shown_as_a_network_and_stays(nothing_left: None) -> None:
    import asyncio

    from lab.emulation.emulation import Emulation
    from topologies import point_to_point

    async def main() -> None:
        async with Emulation(point_to_point.topology()) as lab:
            await asyncio.to_thread(look, lab)
            assert (await lab.hosts["AMS"].run(["true"])).status == 0

    def look(lab: Any) -> None:
        net = Containernet(lab)
        assert net.pingAll() == 0.0
        assert "eth1" in net["AMS"].cmd("ip -br address")
        assert isinstance(net.addSwitch("s1"), LinuxBridge)
        net.stop()

    asyncio.run(main())
