#!/usr/bin/python3
"""
Does inside the board what vm.py asks for, over a virtio-serial port of its own.

A message is a head and as much data as its "size" says: 4 bytes with the head's
length, the head in JSON, the data. Each request is answered by one message with
the same "id", when it is done; several may be under way.

    {"do": "run", "command": TEXT, "timeout": S}    code, err (a length); data: out + err
    {"do": "get", "path": PATH}                     data: the file
    {"do": "put", "path": PATH, "mode": N} + data
    {"do": "clock"}                                 monotonic_ns, realtime_ns
    {"do": "hello"}                                 boot: the boot's id
An error is answered with {"error": TEXT}.
"""
import json
import os
import struct
import subprocess
import threading
import time

PORT = "/dev/virtio-ports/agent"


def do_run(head, data):
    done = subprocess.run(["/bin/sh", "-c", head["command"]], input=data, timeout=head["timeout"],
                          capture_output=True, check=False)
    return {"code": done.returncode, "err": len(done.stderr)}, done.stdout + done.stderr


def do_get(head, data):
    with open(head["path"], "rb") as file:
        return {}, file.read()


def do_put(head, data):
    path = head["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, head["mode"])
    return {}, b""


def do_clock(head, data):
    return {"monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
            "realtime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME)}, b""


def do_hello(head, data):
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return {"boot": file.read().strip()}, b""


class Port:
    def __init__(self):
        while not os.path.exists(PORT):
            time.sleep(0.05)
        self.fd = os.open(PORT, os.O_RDWR)
        self.writing = threading.Lock()

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            more = os.read(self.fd, min(size - len(data), 65536))
            if not more:  # nobody is at the other end
                time.sleep(0.05)
            data += more
        return bytes(data)

    def send(self, head, data=b""):
        text = json.dumps(dict(head, size=len(data))).encode()
        rest = memoryview(struct.pack(">I", len(text)) + text + data)
        with self.writing:
            while rest:
                rest = rest[os.write(self.fd, rest[:65536]):]

    def answer(self, head, data):
        try:
            reply, out = globals()["do_" + head["do"]](head, data)
        except Exception as error:  # the other end is told, whatever it is
            reply, out = {"error": f"{type(error).__name__}: {error}"}, b""
        self.send(dict(reply, id=head["id"]), out)


def main():
    os.environ.setdefault("HOME", "/root")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.chdir("/root")
    port = Port()
    while True:
        length, = struct.unpack(">I", port.read(4))
        head = json.loads(port.read(length))
        data = port.read(head["size"])
        threading.Thread(target=port.answer, args=(head, data), daemon=True).start()


if __name__ == "__main__":
    main()
