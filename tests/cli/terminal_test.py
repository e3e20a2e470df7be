"""`mapflow run` and the jinja calculator as a person sees them, on a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from mapflow_process import DEADLINE_SECONDS, ProcessTest, main, message, wait_for, workflow
from screen import Screen


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, test, *words, columns=100, rows=30, **environment):
        self.columns = columns
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        settings = {name: value for name, value in test.environment().items() if name not in ("NO_COLOR", "LC_ALL", "LANG")}
        settings.update({"TERM": "xterm-256color", **environment})
        self.process = subprocess.Popen(test.command(*words), cwd=test.folder, stdin=slave, stdout=slave, stderr=slave, env=settings,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.output = ""
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """Takes what has come; False at the end."""
        if not select.select([self.master], [], [], 0.05)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += chunk.decode(errors="replace")
        return bool(chunk)

    def wait_for(self, pattern):
        def seen():
            self.read()
            return re.search(pattern, self.plain())
        return wait_for(seen, f"{pattern!r} on the terminal; there was:\n{self.plain()}")

    def type(self, text):
        os.write(self.master, text.encode())

    def plain(self):
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.output)

    def exit_code(self):
        limit = time.monotonic() + DEADLINE_SECONDS
        while self.read() and time.monotonic() < limit:
            pass
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def end(self):
        """Reads to the end; gives the exit code and the screen that is left."""
        return self.exit_code(), Screen(self.columns).feed(self.output).text()


class LiveTree(ProcessTest):
    def setUp(self):
        super().setUp()
        self.gate()
        self.write("flow.yaml", workflow(message("first", value=1) + message("second", gate="gate", say="a log line") + message("third", value=3)))

    def test_the_tree_is_redrawn_in_place_and_left_complete(self):
        terminal = Terminal(self, "run", "flow.yaml", "--id", "demo")
        terminal.wait_for(r"● second")
        self.assertIn("· third", terminal.plain(), "what is still to come is there")
        self.open_gate()
        code, screen = terminal.end()
        self.assertEqual(code, 0, screen)
        self.assertIn("instance demo", screen.splitlines()[0])
        for step in ("✓ first", "✓ second", "✓ third"):
            self.assertEqual(screen.count(step), 1, screen)
        for leftover in ("●", "·"):
            self.assertNotIn(f"{leftover} ", screen)
        self.assertEqual(screen.count("a log line"), 1, screen)
        self.assertIn("results", screen)

    def test_a_terminal_may_change_its_size(self):
        terminal = Terminal(self, "run", "flow.yaml", columns=100)
        terminal.wait_for(r"● second")
        terminal.resize(120, 12)
        length = len(terminal.output)
        wait_for(lambda: terminal.read() and len(terminal.output) > length, "a new picture")
        self.open_gate()
        code, screen = terminal.end()
        self.assertEqual(code, 0)
        self.assertEqual(screen.count("✓ second"), 1, screen)

    def test_no_color_means_no_color_but_still_a_tree(self):
        terminal = Terminal(self, "run", "flow.yaml", NO_COLOR="1")
        terminal.wait_for(r"● second")
        self.open_gate()
        code, _ = terminal.end()
        self.assertEqual(code, 0)
        self.assertNotRegex(terminal.output, r"\x1b\[[0-9;]*m")
        self.assertRegex(terminal.output, r"\x1b\[[0-9]+A")

    def test_a_dumb_terminal_gets_plain_lines(self):
        terminal = Terminal(self, "run", "flow.yaml", TERM="dumb")
        terminal.wait_for(r"step.started\s+second")
        self.open_gate()
        code, _ = terminal.end()
        self.assertEqual(code, 0)
        self.assertNotIn("\x1b", terminal.output)

    def test_a_terminal_without_utf_8_gets_ascii(self):
        terminal = Terminal(self, "run", "flow.yaml", LC_ALL="C")
        terminal.wait_for(r"\* second")
        self.open_gate()
        code, screen = terminal.end()
        self.assertEqual(code, 0)
        self.assertIn("+ second", screen)

    def test_ctrl_c_on_the_keyboard(self):
        terminal = Terminal(self, "run", "flow.yaml", "--id", "demo")
        terminal.wait_for(r"● second")
        terminal.type("\x03")
        code, screen = terminal.end()
        self.assertEqual(code, 130)
        self.assertIn("mapflow run flow.yaml --id demo", screen)

    def test_a_retry_counts_down(self):
        step = ("  - { id: a, type: message, destination: worker, action: do, data: { fail_until: fixed, retryable: true },\n"
                "      retry: { max_attempts: 2, initial_delay: 3s } }\n")
        self.write("retry.yaml", workflow(step))
        terminal = Terminal(self, "run", "retry.yaml")
        terminal.wait_for(r"↻ a .*attempt 2 in 2\.\ds.*not_yet")
        self.write("fixed", "")
        code, screen = terminal.end()
        self.assertEqual(code, 0)
        self.assertIn("1 retry", screen)

    def test_hanging_up_leaves_the_instance(self):
        terminal = Terminal(self, "run", "flow.yaml", "--id", "demo")
        terminal.wait_for(r"● second")
        terminal.process.send_signal(signal.SIGHUP)
        self.assertEqual(terminal.end()[0], 130)
        self.assertEqual(self.document(self.mapflow("show", "demo", "--json"))["state"], "running")


class Calculator(ProcessTest):
    def test_lines_are_answered_and_remembered(self):
        self.write("data.json", '{"order": {"lines": [1, 2, 3]}}')
        terminal = Terminal(self, "jinja", "--data", "data.json")
        terminal.wait_for(">>> ")
        terminal.type("order.lines | sum\n")
        terminal.wait_for(r"\n6\r?\n")
        terminal.type("ord\t\n")  # completed
        terminal.wait_for(r'"lines": \[')
        terminal.type("nmae\n")
        terminal.wait_for("error: [^>]*>>> ")  # what is typed before the prompt is there is not for the editor
        terminal.type("\x04")
        self.assertEqual(terminal.exit_code(), 0, terminal.plain())
        with open(self.path(".local/state/mapflow/jinja_history"), encoding="utf-8") as history:
            self.assertIn("sum", history.read())


if __name__ == "__main__":
    main()
