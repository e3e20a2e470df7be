"""A network of the test's own: each server and each node is a machine of its own on it, whose cable can be pulled.

Linux network namespaces on one bridge, inside a namespace that nothing else of the machine is in, so nobody else can reach the
servers. It takes root, and a kernel that lets it. Without that everything runs on the loopback, and there are no cables to pull.
"""

import os
import subprocess
import sys
import threading

import fleet

INSIDE = "MAPFLOW_CHAOS_INSIDE"


def enter():
    """Runs this program again in namespaces of its own, which take everything with them when it ends, however it ends."""
    if os.geteuid() != 0 or INSIDE in os.environ:
        return
    apart = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*apart, "ip", "link", "add", "probe", "type", "bridge"], check=False, capture_output=True).returncode != 0:
        return  # root of a container that may not make any
    os.execvpe(apart[0], [*apart, sys.executable, *sys.orig_argv[1:]], {**os.environ, INSIDE: "1"})


def lasts(seconds):
    """Lets something that was done to the fleet last. Nothing is waited for."""
    threading.Event().wait(seconds)


def run(*words):
    subprocess.run(words, check=True, capture_output=True, text=True)


class Machine:
    """A place with an address and a cable. Its namespace lives as long as this process."""

    def __init__(self, number):
        self.address, self.cable = f"10.77.0.{number}", f"cable{number}"
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            lasts(0.001)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        run("ip", "link", "set", self.cable, "master", "switch", "up")
        run(*self.command(["ip", "address", "add", f"{self.address}/24", "dev", "eth0"]))
        for device in ("lo", "eth0"):
            run(*self.command(["ip", "link", "set", device, "up"]))

    def command(self, words):
        return ["nsenter", "--target", str(self.holder.pid), "--net", *words]

    def pull(self):
        """What is on its way is lost, and nobody is told."""
        run("ip", "link", "set", self.cable, "down")

    def plug(self):
        run("ip", "link", "set", self.cable, "up")


class Network:
    """Machines on demand, or always the loopback when `cables` is false."""

    def __init__(self):
        self.cables = INSIDE in os.environ
        self.machines = 1
        if self.cables:
            run("ip", "link", "set", "lo", "up")
            run("ip", "link", "add", "switch", "type", "bridge")
            run("ip", "address", "add", "10.77.0.1/24", "dev", "switch")
            run("ip", "link", "set", "switch", "up")

    def machine(self):
        if not self.cables:
            return fleet.Here()
        self.machines += 1
        return Machine(self.machines)
