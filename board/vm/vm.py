"""
The virtual board: QEMU with an arm64 Debian, its kernel's GPIO chip and sound card,
and our packages. Its button lines are driven from outside, by interrupts; its lamps
are watched where they leave the chip.

    from vm import VM, image
    with VM(image("trixie")) as vm:             # with build/deb/trixie/chalkbox_*_arm64.deb
        vm.wait_unit("chalkboxd")               # ready, by systemd's word
        vm.press("5")                           # a press of 0.12 s, with contact bounce
        vm.press("1", hold_s=1.5, bounce=False)
        lit = vm.wait_lamp("green", 1)          # host's monotonic ns when it was lit
        vm.run("chalkbox show last").out        # as root; raises Failed unless it exits with 0
        player = vm.spawn("aplay -q -D hw:Loopback,0 /root/lesson.wav")
        player.wait(130)
        vm.put(b"[sync]\\n", "/etc/chalkbox/chalkbox.conf.d/50-test.conf")
        journal = vm.get("/var/lib/chalkbox/journal.db")
        vm.power_off()                          # orderly; vm.kill() is not

Which line is which button or lamp is in vm.conf and in BUTTONS and LAMPS below.
`vm.edge()` sets one line, `vm.edges` is the record of what was set, as (line name,
level, before_ns, after_ns): the line changed between these two moments. `vm.lamps`
are the lamps' changes so far: (name, level, host_ns). Times ending in _ns are of the
host's CLOCK_MONOTONIC; `vm.guest_ns()` and `vm.host_ns()` turn them into the guest's
and back. Deadlines (`timeout`) end a test that hangs, they measure nothing; every
wait ends at once when QEMU ends, and its failure shows the end of the console.

Options of VM(...):
    memory_mib, cpus    1024, 2
    rtc                 the clock at power-on: "2025-05-14T09:00:00"; now without it
    state               an image of the state disk to copy, instead of an empty one
    state_log           True: every write and flush of the state disk is logged to
                        vm.state_log_path, in the format of dm-log-writes
    root_from           a VM that is over, whose root disk is gone on with
    nets                QEMU's -netdev values without an id, such as
                        "user,restrict=on", "user,hostfwd=tcp:127.0.0.1:8443-:443",
                        "socket,listen=127.0.0.1:4321", "tap,ifname=tap0,script=no"
    kernel              words for the kernel's command line
    files               {path: bytes or text}: on the root disk before anything starts,
                        at each boot; not for /var/lib/chalkbox, which is the state disk
    qemu                more arguments for QEMU, such as ["-device", "usb-kbd,id=keys"]
`vm.monitor("device_add", driver="usb-kbd", id="keys")` speaks QMP.
`vm.state_path` is the state disk (raw), to be read when the VM is over.
Runs never change the image: disks are copies, in vm.folder, which goes with the VM
(keep=True keeps it). Several VMs may run at once.
"""
import collections
import contextlib
import glob
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

LINES = ["GPIO5", "GPIO6", "GPIO13", "GPIO26", "GPIO16", "GPIO22", "GPIO23", "GPIO24"]
BUTTONS = {"1": "GPIO5", "2": "GPIO6", "3": "GPIO13", "4": "GPIO26", "5": "GPIO16"}
LAMPS = {"red": "GPIO22", "green": "GPIO23", "amber": "GPIO24"}
MACHINE = ["-M", "virt", "-cpu", "cortex-a72", "-accel", "tcg,thread=multi"]
BOOT_S = 600
NS = 1_000_000_000
# seconds after the first edge at which a contact opens and closes again
BOUNCE = (0.0004, 0.0009, 0.0017, 0.0023, 0.0031, 0.0038)
BOUNCE_LATE_NS = 2_000_000

Result = collections.namedtuple("Result", "code out err")


class Failed(AssertionError):
    """The board did not do what was asked or waited for."""


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def why_not():
    """Why there can be no virtual board here, or None."""
    for program, package in (("qemu-system-aarch64", "qemu-system-arm"),
            ("qemu-img", "qemu-utils"), ("fdtput", "device-tree-compiler"),
            ("qemu-aarch64-static", "qemu-user-static"), ("mmdebstrap", "mmdebstrap")):
        if not shutil.which(program):
            return f"{program} is not installed (apt install {package})"
    if os.geteuid() != 0:
        return "the board's image is made by root (sudo make check-board)"
    if not os.path.isdir("/proc/sys/fs/binfmt_misc") and subprocess.run(
            ["modprobe", "-q", "binfmt_misc"], check=False).returncode != 0:
        return "this kernel has no binfmt_misc, so no arm64 package can be installed in the image"
    return None


def debs(release, *packages):
    """The files of these packages of ours, as `make deb` leaves them."""
    found = []
    for package in packages:
        paths = glob.glob(os.path.join(ROOT, f"build/deb/{release}/{package}_*_arm64.deb"))
        if not paths:
            raise Failed(f"no {package} for {release} in build/deb: make deb RELEASE={release} "
                "ARCH=arm64")
        found.append(max(paths, key=os.path.getmtime))
    return found


def image(release=None, packages=("chalkbox",)):
    """The folder of an image with these packages of ours; built if it is not there.
    CHALKBOX_VM_RELEASE says which Debian, if the caller does not."""
    release = release or os.environ.get("CHALKBOX_VM_RELEASE", "trixie")
    run = subprocess.run([os.path.join(HERE, "build"), "--release", release,
        *debs(release, *packages)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    if run.returncode != 0:
        raise Failed(f"board/vm/build failed:\n{run.stderr[-4000:]}")
    return run.stdout.split()[-1]


class Pending:
    """Something asked of the agent; wait() for its answer."""

    def __init__(self, vm, what):
        self.vm, self.what = vm, what
        self.reply = self.data = None
        self.sent_ns = self.answered_ns = None

    def done(self):
        return self.reply is not None

    def answer(self, timeout):
        self.vm.wait_for(self.done, timeout, self.what)
        if "error" in self.reply:
            raise Failed(f"{self.what}: {self.reply['error']}")
        return self.reply, self.data

    def wait(self, timeout=60, check=True):
        """The Result of a command; out and err are text."""
        reply, data = self.answer(timeout)
        cut = len(data) - reply["err"]
        out, err = (part.decode(errors="replace") for part in (data[:cut], data[cut:]))
        if check and reply["code"] != 0:
            raise Failed(f"{self.what} ended with {reply['code']}:\n{out[-2000:]}{err[-2000:]}")
        return Result(reply["code"], out, err)


class VM:
    def __init__(self, image_folder=None, *, memory_mib=1024, cpus=2, rtc=None, state=None,
            state_log=False, root_from=None, nets=(), kernel="", files=None, qemu=(), keep=False):
        self.image = image_folder or image()
        self.folder = tempfile.mkdtemp(prefix="cb-vm-")
        self.keep = keep
        self.memory_mib, self.cpus, self.rtc = memory_mib, cpus, rtc
        self.nets, self.kernel, self.extra = list(nets), kernel, list(qemu)
        self.console_path = os.path.join(self.folder, "console")
        self.state_path = os.path.join(self.folder, "state.img")
        self.state_log_path = os.path.join(self.folder, "state.log") if state_log else None
        self.root_path = os.path.join(self.folder, "root.qcow2")
        self.levels = dict.fromkeys(BUTTONS.values(), 1)  # what we hold the lines at
        self.edges, self.lamps = [], []
        self.boots = []  # (boot id, host ns of the agent's greeting)
        self.offset_ns = None
        self.process = None
        self.begin_ns = None  # power-on
        self._changed = threading.Condition()
        self._pending, self._last_id = {}, 0
        self._agent_lock, self._qmp_lock, self._qtest_lock = (threading.Lock() for _ in range(3))
        self._make_disks(state, root_from, files or {})

    # --- what the machine is made of ---

    def _make_disks(self, state, root_from, files):
        copy_sparse(state or os.path.join(self.image, "state.img"), self.state_path)
        if root_from:
            shutil.copy(root_from.root_path, self.root_path)
        else:
            tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                os.path.join(self.image, "root.img"), self.root_path)
        if self.state_log_path:
            with open(self.state_log_path, "wb") as file:
                file.truncate(8 << 30)  # sparse
        self.files = files

    def _initrd(self):
        """The image's, and behind it an archive of the files; guest/init copies them."""
        path = os.path.join(self.folder, "initrd")
        shutil.copy(os.path.join(self.image, "initrd.gz"), path)
        top = os.path.join(self.folder, "files")
        for name, content in self.files.items():
            target = os.path.join(top, "files", name.lstrip("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
        if self.files:
            names = subprocess.run(["find", "."], cwd=top, stdout=subprocess.PIPE, check=True)
            with open(path, "ab") as file:
                file.write(bytes(-file.tell() % 4))
                file.flush()
                subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=top,
                    input=names.stdout, stdout=file, check=True)
        return path

    def _device_tree(self):
        """QEMU's own, with names for the lines and without its power button on one."""
        path = os.path.join(self.folder, "virt.dtb")
        tool("qemu-system-aarch64", "-nodefaults", "-display", "none", "-M",
            f"virt,dumpdtb={path}", "-cpu", "cortex-a72", "-smp", str(self.cpus), "-m",
            str(self.memory_mib))
        tool("fdtput", "-r", path, "/gpio-keys")
        tool("fdtput", "-t", "s", path, "/pl061@9030000", "gpio-line-names", *LINES)
        return path

    def _disks(self):
        state = f"driver=raw,node-name=state,file.driver=file,file.filename={self.state_path}"
        if self.state_log_path:
            # a flush is an entry of the log and nothing else: so their order is exact
            state = ("driver=blklogwrites,node-name=state,log-sector-size=512,"
                "log-super-update-interval=1,"
                "file.driver=raw,file.file.driver=file,file.file.cache.no-flush=on,"
                f"file.file.filename={self.state_path},"
                "log.driver=raw,log.file.driver=file,log.file.cache.no-flush=on,"
                f"log.file.filename={self.state_log_path}")
        return ["-drive", f"file={self.root_path},format=qcow2,if=none,id=root,cache=unsafe",
            "-device", "virtio-blk-pci,drive=root", "-blockdev", state,
            "-device", "virtio-blk-pci,drive=state,serial=state"]

    def _arguments(self):
        boot = ["-kernel", os.path.join(self.image, "linux"),
            "-initrd", self._initrd(), "-dtb", self._device_tree(),
            "-append", f"console=ttyAMA0 net.ifnames=0 quiet {self.kernel}"]
        sockets = []
        for name in ("qtest", "qmp"):
            sockets += [f"-{name}", f"unix:{self.folder}/{name},server=on,wait=off"]
        agent = ["-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"]
        nets = []
        for i, net in enumerate(self.nets):
            # of its own for each VM, so that several can share one network
            mac = f"52:54:00:{os.getpid() >> 8 & 255:02x}:{os.getpid() & 255:02x}:" \
                f"{(id(self) >> 6 & 63) * 4 + i & 255:02x}"
            nets += ["-netdev", f"{net},id=net{i}", "-device",
                f"virtio-net-pci,netdev=net{i},mac={mac},romfile="]
        clock = ["-rtc", f"base={self.rtc}"] if self.rtc else []
        return ["qemu-system-aarch64", *MACHINE, "-m", str(self.memory_mib), "-smp",
            str(self.cpus), "-nodefaults", "-no-user-config", "-display", "none", "-S",
            "-qtest-log", "none", "-serial", f"file:{self.console_path}", "-device",
            "virtio-rng-pci", *boot, *sockets, *agent, *self._disks(), *nets, *clock, *self.extra]

    # --- its life ---

    def start(self, ready=True, timeout=BOOT_S):
        """Powers it on and waits for the agent, which is there before our units are."""
        with open(os.path.join(self.folder, "qemu"), "wb") as log:
            self.process = subprocess.Popen(self._arguments(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        self._qmp_socket = self._connect("qmp")
        self._qmp_file = self._qmp_socket.makefile("rb")
        self._qmp_replies = []
        json.loads(self._qmp_file.readline())  # the greeting
        self._qtest_socket = self._connect("qtest")
        self._qtest_answers = 0
        self._agent = self._connect("agent")
        for reader in (self._read_qmp, self._read_qtest, self._read_agent):
            threading.Thread(target=reader, daemon=True).start()
        self.monitor("qmp_capabilities")
        go_first(self.process.pid)
        self._chip = self._find_chip()
        self._qtest(f"irq_intercept_out {self._chip}")
        self._hold_lines()
        self.begin_ns = now_ns()
        self.monitor("cont")
        if ready:
            self.wait_agent(timeout)
        return self

    def wait_agent(self, timeout=BOOT_S):
        """Waits until the agent of the present boot answers, and relates the clocks."""
        greeting = self._ask("hello")
        greeting.answer(timeout)
        with self._changed:
            self.boots.append((greeting.reply["boot"], greeting.answered_ns))
        self.relate_clocks()

    def wait_unit(self, unit, timeout=BOOT_S):
        """Waits until a unit is active; returns when it became so, on the host's clock."""
        show = f"systemctl show -P ActiveState -P ActiveEnterTimestampMonotonic {unit}"

        def active():
            state, entered_us = self.run(show).out.split("\n")[:2]
            if state == "failed":
                raise Failed(f"{unit} failed:\n{self.run(f'journalctl -u {unit} -n 40').out}")
            return int(entered_us) if state == "active" else None
        entered_us = self.wait_for(active, timeout, f"{unit} to be active", every=0.2)
        return self.host_ns(entered_us * 1000)

    def power_off(self, timeout=60):
        """Shuts it down in order and waits for its end."""
        self._ask("run", command="systemctl poweroff", timeout=30)
        self.wait_end(timeout)

    def wait_end(self, timeout=60):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed("the machine did not end" + self.said()) from None
        self._gone()

    def kill(self):
        """Ends QEMU at once. What it had written stays in the host's cache, so this is
        no power cut for the disks: for that, replay state_log_path up to a flush."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self._gone()

    def reset(self, timeout=BOOT_S):
        """The reset button, and the next boot's agent."""
        self.monitor("system_reset")
        with self._changed:
            self._pending.clear()
        self._hold_lines()
        before = self.boots[-1][0]
        self.wait_for(lambda: self._other_boot(before), timeout, "the next boot")

    def _other_boot(self, before):
        # the question may be lost with the old boot: it is asked again
        greeting = self._ask("hello")
        with contextlib.suppress(Failed):
            if greeting.answer(3)[0]["boot"] != before:
                self.boots.append((greeting.reply["boot"], greeting.answered_ns))
                self.relate_clocks()
                return True
        return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def _gone(self):
        for end in (self._qmp_socket, self._qtest_socket, self._agent):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        if self.process:
            self.kill()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *unused):
        self.close()

    def said(self):
        """What it said last: QEMU and the console."""
        text = ""
        for name in ("qemu", "console"):
            with contextlib.suppress(FileNotFoundError):
                with open(os.path.join(self.folder, name), encoding="utf-8",
                        errors="replace") as file:
                    text += f"\n{name}:\n" + file.read()[-3000:]
        return text

    def wait_for(self, found, timeout, what, every=0.05):
        """Waits until found() gives something true, and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            value = found()
            if value:
                return value
            if not self.running():
                raise Failed(f"waited for {what}, but the machine ended" + self.said())
            if time.monotonic() > deadline:
                raise Failed(f"waited {timeout:g} s for {what}" + self.said())
            with self._changed:
                self._changed.wait(every)

    # --- QEMU's own two channels ---

    def _connect(self, name):
        path = os.path.join(self.folder, name)
        deadline = time.monotonic() + 20
        while True:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                link.connect(path)
                return link
            except OSError:
                link.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failed("QEMU did not start" + self.said()) from None
                time.sleep(0.02)

    def _read_qmp(self):
        for line in self._qmp_file:
            message = json.loads(line)
            with self._changed:
                if "event" not in message:
                    self._qmp_replies.append(message)
                self._changed.notify_all()

    def monitor(self, command, **arguments):
        """A QMP command; its return value."""
        with self._qmp_lock:
            self._qmp_replies.clear()
            self._qmp_socket.sendall(json.dumps(
                {"execute": command, "arguments": arguments}).encode())
            self.wait_for(lambda: self._qmp_replies, 30, f"QEMU's answer to {command}")
            reply = self._qmp_replies[0]
        if "error" in reply:
            raise Failed(f"{command}: {reply['error']['desc']}")
        return reply["return"]

    def _find_chip(self):
        for item in self.monitor("qom-list", path="/machine/unattached"):
            if item["type"] == "child<pl061>":
                return f"/machine/unattached/{item['name']}"
        raise Failed("QEMU has no PL061")

    def _read_qtest(self):
        rest = b""
        go_first(0)
        with contextlib.suppress(OSError):
            while more := self._qtest_socket.recv(4096):
                seen_ns = now_ns()
                *lines, rest = (rest + more).split(b"\n")
                with self._changed:
                    for line in lines:
                        self._take_qtest(line.decode().split(), seen_ns)
                    self._changed.notify_all()

    def _take_qtest(self, words, seen_ns):
        if words[:1] == ["IRQ"]:
            name = next((lamp for lamp, line in LAMPS.items()
                if line == LINES[int(words[2])]), None)
            if name:
                self.lamps.append((name, int(words[1] == "raise"), seen_ns))
        elif words:
            self._qtest_answers += 1

    def _qtest(self, text):
        """Sends one command and waits for its OK; when it was sent and answered."""
        with self._qtest_lock:
            wanted = self._qtest_answers + 1
            before_ns = now_ns()
            self._qtest_socket.sendall(text.encode() + b"\n")
            with self._changed:
                if not self._changed.wait_for(lambda: self._qtest_answers >= wanted, 20):
                    raise Failed(f"QEMU did not answer {text}" + self.said())
            return before_ns, now_ns()

    # --- buttons and lamps ---

    def _hold_lines(self):
        for line, level in self.levels.items():
            self._qtest(f"set_irq_in {self._chip} unnamed-gpio-in {LINES.index(line)} {level}")

    def edge(self, line, level):
        """Sets a line, given by the name of its button or its own."""
        line = BUTTONS.get(line, line)
        self.levels[line] = level
        before_ns, after_ns = self._qtest(
            f"set_irq_in {self._chip} unnamed-gpio-in {LINES.index(line)} {level}")
        self.edges.append((line, level, before_ns, after_ns))
        return before_ns

    def press(self, button, hold_s=0.12, bounce=True):
        """Closes a contact and opens it again after hold_s; returns when it closed."""
        closed_ns = self._contact(button, 0, bounce)
        sleep_until(closed_ns + int(hold_s * NS))
        self._contact(button, 1, bounce)
        return closed_ns

    def _contact(self, button, level, bounce):
        first_ns = self.edge(button, level)
        for i, later in enumerate(BOUNCE if bounce else ()):
            due_ns = first_ns + int(later * NS)
            if now_ns() > due_ns + BOUNCE_LATE_NS:
                break  # this machine is busy, and so long an opening is no bounce
            sleep_until(due_ns)
            self.edge(button, level if i % 2 else 1 - level)
        if self.levels[BUTTONS.get(button, button)] != level:
            self.edge(button, level)
        return first_ns

    def lamp(self, name):
        """Its level now."""
        return next((level for lamp, level, _ in reversed(self.lamps) if lamp == name), 0)

    def wait_lamp(self, name, level, after_ns=None, timeout=60):
        """Waits for the first change to that level at or after after_ns, or without it
        until the lamp has this level; returns when the change came."""
        def found():
            changes = [when for lamp, to, when in list(self.lamps) if lamp == name and to == level]
            if after_ns is None:
                return self.lamp(name) == level and (changes or [self.begin_ns])[-1]
            return next((when for when in changes if when >= after_ns), None)
        return self.wait_for(found, timeout, f"the {name} lamp to be {level}")

    # --- inside ---

    def _ask(self, do, data=b"", **head):
        with self._agent_lock:
            self._last_id += 1
            waiting = Pending(self, head.get("command", f"{do} {head.get('path', '')}".strip()))
            self._pending[self._last_id] = waiting
            text = json.dumps(dict(head, do=do, id=self._last_id, size=len(data))).encode()
            waiting.sent_ns = now_ns()
            self._agent.sendall(struct.pack(">I", len(text)) + text + data)
        return waiting

    def _read_agent(self):
        stream = self._agent.makefile("rb")
        with contextlib.suppress(OSError, ValueError, struct.error):
            while True:
                length, = struct.unpack(">I", stream.read(4))
                head = json.loads(stream.read(length))
                data = stream.read(head["size"])
                with self._changed:
                    waiting = self._pending.pop(head["id"], None)
                    if waiting:
                        waiting.answered_ns, waiting.data = now_ns(), data
                        waiting.reply = head
                    self._changed.notify_all()

    def spawn(self, command, timeout=3600, data=b""):
        """Starts a shell command as root; .done(), .wait(timeout, check=True)."""
        return self._ask("run", data, command=command, timeout=timeout)

    def run(self, command, timeout=60, check=True, data=b""):
        """Runs a shell command as root, with `data` for its input."""
        return self.spawn(command, timeout, data).wait(timeout + 5, check)

    def get(self, path):
        return self._ask("get", path=path).answer(120)[1]

    def put(self, content, path, mode=0o644):
        content = content.encode() if isinstance(content, str) else content
        self._ask("put", content, path=path, mode=mode).answer(120)

    # --- two clocks ---

    def relate_clocks(self, tries=20):
        """How the guest's CLOCK_MONOTONIC stands to the host's; how wrong that may be."""
        best = None
        for _ in range(tries):
            asked = self._ask("clock")
            reply, _ = asked.answer(30)
            trip_ns = asked.answered_ns - asked.sent_ns
            if best is None or trip_ns < best:
                best = trip_ns
                self.offset_ns = reply["monotonic_ns"] - (asked.sent_ns + trip_ns // 2)
        self.clock_error_ns = best // 2
        return self.clock_error_ns

    def guest_ns(self, host_ns):
        return host_ns + self.offset_ns

    def host_ns(self, guest_ns):
        return guest_ns - self.offset_ns


def go_first(thread):
    """
    What sets and watches the lines does not wait for this machine's other work, where
    that is allowed. It is idle most of the time; the emulated processors are other threads.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(thread, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def sleep_until(host_ns):
    left_s = (host_ns - now_ns()) / NS
    if left_s > 0:
        time.sleep(left_s)


def tool(*command):
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}:\n{run.stdout.decode(errors='replace')}")
    return run.stdout


def copy_sparse(source, target):
    tool("cp", "--sparse=always", "--reflink=auto", source, target)


if __name__ == "__main__":  # for make: says nothing where a board can be had
    print(why_not() or "", end="")
