"""The servers whose store the nodes share, how they are hurt, and how to look into them.

Every database has: `url`; `hurts`, the ways to hurt it by name, each of which ends with it whole again; `look(after)`, what is in
the store now (see `Look`); `verify(folder)`, what is wrong with it in the end; `end()`.
"""

import glob
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field

import fleet
from network import lasts

PASSWORD = "chaos"
START = 60          # seconds for a server to answer
NOBODY = 65534      # Debian's: PostgreSQL refuses to run as root


class Away(Exception):
    """The database does not answer."""


class Refused(Away):
    """It answers, but not this."""


@dataclass
class Look:
    """What was in the store at one moment, each partition for itself."""

    partitions: dict = field(default_factory=dict)  # partition -> (epoch, node, commits of this epoch, end of the log, server)
    entries: list = field(default_factory=list)     # (partition, position, epoch) of the log behind the positions asked for


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(condition, what, seconds=START):
    """Waits until it is so; what is asked may fail meanwhile."""
    ends = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except Away:
            pass
        if time.monotonic() > ends:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        lasts(0.05)


def children_of(parent):
    found = []
    for status in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(status, encoding="utf-8", errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            found.append(int(status.split("/")[2]))
    return found


class Psql:
    """A session that answers statements. It is made anew when the server was away."""

    def __init__(self, words, environment):
        self.words, self.environment, self.process = words, environment, None
        self.turn = threading.Lock()

    def rows(self, statement, seconds=3):
        """Texts, a list for each row. Thread safety: any thread."""
        with self.turn:
            return self.answered(statement, seconds)

    def answered(self, statement, seconds):
        if self.process is None:
            self.process = subprocess.Popen(self.words, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.process.stdin.write((statement + ";\n\\echo .\n").encode())
            self.process.stdin.flush()
            return [line.split("|") for line in self.answer(time.monotonic() + seconds).splitlines()]
        except (OSError, Away) as failed:
            self.close()
            raise Away(str(failed)) from failed

    def answer(self, ends):
        text = b""
        while not (text == b".\n" or text.endswith(b"\n.\n")):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, ends - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not part:
                raise Away("no answer")
            text += part
        return text.decode().removesuffix(".\n")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Postgres:
    """One server, all of whose settings are PostgreSQL's own, so that it is durable."""

    def __init__(self, network, folder, chance):
        self.place, self.folder, self.chance = network.machine(), folder, chance
        self.port, self.log = free_port(), folder / "server.log"
        self.bin = os.path.dirname((sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres")) or ["/usr/bin/postgres"])[-1])
        self.data = folder / "data"
        folder.mkdir()
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY, NOBODY)
        self.run(f"{self.bin}/initdb", f"--pgdata={self.data}", "--username=mapflow", "--encoding=UTF8", "--locale=C.UTF-8",
                 "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = '{self.place.address}'\nport = {self.port}\nunix_socket_directories = ''\nmax_connections = 100\n")
        with open(self.data / "pg_hba.conf", "a", encoding="utf-8") as who:
            who.write("host all all 10.77.0.0/24 scram-sha-256\n")
        self.url = f"postgres://mapflow:{PASSWORD}@{self.place.address}:{self.port}/postgres"
        self.session = Psql([f"{self.bin}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host={self.place.address} port={self.port} dbname=postgres user=mapflow connect_timeout=2"],
                            {**os.environ, "PGPASSWORD": PASSWORD})
        self.start()
        self.hurts = {"crash": self.crash, "immediate_stop": self.immediate_stop, "backend_killed": self.kill_backend}
        if network.cables:
            self.hurts["database_cut"] = self.cut

    def as_ordinary(self, *words):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words] if os.geteuid() == 0 else list(words)

    def run(self, *words):
        subprocess.run(self.as_ordinary(*words), cwd=self.folder, check=True, capture_output=True)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.place.command(self.as_ordinary(f"{self.bin}/postgres", "-D", str(self.data))),
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.session.rows("SELECT 1"), "PostgreSQL to answer")

    def crash(self):
        """All of its processes at once, as when the machine loses its power, and back."""
        self.process.send_signal(signal.SIGSTOP)
        for process in children_of(self.process.pid):
            os.kill(process, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        lasts(self.chance.uniform(0, 3))
        self.start()

    def immediate_stop(self):
        self.run(f"{self.bin}/pg_ctl", "stop", "-D", str(self.data), "-m", "immediate")
        self.process.wait()
        lasts(self.chance.uniform(0, 6))
        self.start()

    def kill_backend(self):
        """One session's process; the server then ends all the others and recovers."""
        try:
            backends = self.session.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
            os.kill(int(self.chance.choice(backends)[0]), signal.SIGKILL)
        except (Away, IndexError, ProcessLookupError):
            pass
        until(lambda: self.session.rows("SELECT 1"), "PostgreSQL to recover")

    def cut(self):
        self.place.pull()
        lasts(self.chance.uniform(1, 8))
        self.place.plug()
        until(lambda: self.session.rows("SELECT 1"), "PostgreSQL to be reachable again")

    def look(self, after):
        seen = ",".join(f"({partition},{position})" for partition, position in after.items()) or "(-1,0)"
        look = Look()
        for row in self.session.rows(
                "SELECT 'p', partition, epoch, written, log_end, node FROM mapflow.partitions UNION ALL "
                "SELECT 'l', l.partition, l.position, l.epoch, 0, '' FROM mapflow.log l JOIN mapflow.partitions USING (partition) "
                f"LEFT JOIN (VALUES {seen}) AS s(p, position) ON s.p = l.partition WHERE l.position > coalesce(s.position, 0)"):
            numbers = [int(word) for word in row[1:5]]
            if row[0] == "p":
                look.partitions[numbers[0]] = (numbers[1], row[5], numbers[2], numbers[3], "")
            else:
                look.entries.append(tuple(numbers[:3]))
        look.entries.sort()
        return look

    def verify(self, folder):
        return fleet.verify(folder)

    def end(self):
        self.session.close()
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


class RedisConnection:
    """As much of the protocol as looking takes."""

    def __init__(self, address, port):
        try:
            self.socket = socket.create_connection((address, port), timeout=2)
        except OSError as failed:
            raise Away(str(failed)) from failed
        self.file = self.socket.makefile("rb")
        self.ask("AUTH", PASSWORD)

    def ask(self, *words):
        try:
            parts = [str(word).encode() for word in words]
            self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            return self.answer()
        except OSError as failed:
            raise Away(str(failed)) from failed

    def answer(self):
        line = self.file.readline().decode()
        kind, rest = line[:1], line[1:].strip()
        if kind == "+":
            return rest
        if kind == ":":
            return int(rest)
        if kind == "$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.answer() for _ in range(int(rest))]
        if kind == "-":
            raise Refused(rest)
        raise Away("the connection ended")

    def close(self):
        self.file.close()
        self.socket.close()


# Of one partition at one moment: its state, and positions and epochs of its log.
LOOK = """
local state = redis.call('HMGET', KEYS[1], 'epoch', 'node', 'written', 'log_end')
if not state[1] then return {} end
for n, entry in ipairs(redis.call('XRANGE', KEYS[1] .. ':log', '(' .. ARGV[1] .. '-0', '+')) do
  state[#state + 1] = string.match(entry[1], '^%d+')
  state[#state + 1] = entry[2][2]
end
return state
"""


class RedisServer:
    """One server that syncs every write."""

    def __init__(self, place, folder, settings=""):
        self.place, self.folder = place, folder
        self.port, self.process, self.connection, self.turn = free_port(), None, None, threading.Lock()
        folder.mkdir()
        (folder / "redis.conf").write_text(
            f"port {self.port}\nbind {place.address}\ndir {folder}\nsave \"\"\nappendonly yes\nappendfsync always\n"
            f"requirepass {PASSWORD}\nmasterauth {PASSWORD}\n{settings}")

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(self.place.command(["redis-server", "redis.conf"]), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.ask("PING"), f"Redis on {self.port} to answer")

    def ask(self, *words):
        """Thread safety: any thread."""
        with self.turn:
            try:
                self.connection = self.connection or RedisConnection(self.place.address, self.port)
                return self.connection.ask(*words)
            except Refused:
                raise
            except Away:
                self.forget()
                raise

    def forget(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def kill_for(self, seconds):
        self.process.kill()
        self.process.wait()
        lasts(seconds)
        self.start()

    def stop_for(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        lasts(seconds)
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.forget()
        self.process.kill()
        self.process.wait()

    def is_master(self):
        return "role:master" in self.ask("INFO", "replication")

    def whole(self):
        return "cluster_state:ok" in self.ask("CLUSTER", "INFO") and "master_link_status:down" not in self.ask("INFO", "replication")


class RedisCluster:
    """Six servers, three of them replicas; a write counts when it is on the disks of two. One of them is hurt at a time,
    which is what that promises to survive."""

    def __init__(self, network, folder, chance):
        self.chance = chance
        folder.mkdir()
        self.servers = [RedisServer(network.machine(), folder / str(number), "repl-diskless-sync-delay 0\ncluster-enabled yes\n"
                                    f"cluster-port {free_port()}\ncluster-node-timeout 2000\ncluster-allow-replica-migration no\n")
                        for number in range(6)]
        for server in self.servers:
            server.start()
        addresses = [f"{server.place.address}:{server.port}" for server in self.servers]
        subprocess.run(["redis-cli", "--no-auth-warning", "-a", PASSWORD, "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"],
                       check=True, capture_output=True)
        self.wait_until_whole()
        self.url = f"redis+cluster://default:{PASSWORD}@{','.join(addresses)}?replicas=1"
        self.hurts = {"primary_killed": self.kill_primary, "primary_stopped": self.stop_primary, "replica_killed": self.kill_replica}
        if network.cables:
            self.hurts["primary_cut"] = self.cut_primary

    def wait_until_whole(self):
        until(lambda: all(server.whole() for server in self.servers) and sum(server.is_master() for server in self.servers) == 3,
              "the cluster to be whole")

    def one(self, master):
        return self.chance.choice([server for server in self.servers if server.is_master() == master])

    def kill_primary(self):
        """Long enough away for its replica to take over, mostly."""
        self.one(master=True).kill_for(self.chance.uniform(0, 8))
        self.wait_until_whole()

    def kill_replica(self):
        self.one(master=False).kill_for(self.chance.uniform(0, 4))
        self.wait_until_whole()

    def stop_primary(self):
        """It wakes up believing that it is still the one."""
        self.one(master=True).stop_for(self.chance.uniform(1, 8))
        self.wait_until_whole()

    def cut_primary(self):
        server = self.one(master=True)
        server.place.pull()
        lasts(self.chance.uniform(1, 8))
        server.place.plug()
        self.wait_until_whole()

    def look(self, after):
        look, number, misses = Look(), 0, 0
        while misses < 4:  # their numbers have next to no gaps
            state, server = self.look_at(number, after.get(number, 0))
            misses = 0 if state else misses + 1
            if state:
                epoch, node, written, log_end, *entries = state
                look.partitions[number] = (int(epoch), node, int(written), int(log_end), server)
                look.entries += [(number, int(entries[at]), int(entries[at + 1])) for at in range(0, len(entries), 2)]
            number += 1
        return look

    def look_at(self, partition, after):
        """The state of a partition, and the port of the server that has it."""
        for server in self.servers:
            try:
                return server.ask("EVAL", LOOK, 1, f"mapflow:{{p{partition}}}", after), server.port
            except Away:  # also MOVED
                continue
        raise Away(f"no server has partition {partition}")

    def verify(self, folder):
        return fleet.verify(folder)

    def end(self):
        for server in self.servers:
            server.end()


class Tiered(Postgres):
    """PostgreSQL as the primary of a composite store with a cache, and a Redis server as its backup, which is hurt too and must not
    matter while it is away, and be as the primary is in the end."""

    def __init__(self, network, folder, chance):
        super().__init__(network, folder, chance)
        self.backup = RedisServer(network.machine(), folder / "backup")
        self.backup.start()
        self.backup_url = f"redis://default:{PASSWORD}@{self.backup.place.address}:{self.backup.port}"
        tiers = folder.parent / "tiers.yaml"
        tiers.write_text(f"primary: {self.url}\ncache: memory:\nbackup: {self.backup_url}\n")
        self.url = f"tiered:{tiers}"
        self.hurts |= {"backup_killed": self.kill_backup, "backup_stopped": self.stop_backup}

    def kill_backup(self):
        self.backup.kill_for(self.chance.uniform(0, 12))

    def stop_backup(self):
        self.backup.stop_for(self.chance.uniform(1, 12))

    def verify(self, folder):
        copy = fleet.Folder(folder.path, self.backup_url)
        ours, theirs = ({row["instance_id"]: row["state"] for row in each.json("list", "--limit", "1000000")} for each in (folder, copy))
        differ = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        return fleet.verify(folder) + fleet.verify(copy) + [f"the backup has {name} as {theirs.get(name)}, not {ours.get(name)}" for name in differ]

    def end(self):
        self.backup.end()
        super().end()
