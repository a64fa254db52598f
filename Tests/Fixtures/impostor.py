#!/usr/bin/env python3
"""A program that is started as a worker and is none."""

import os
import socket
import time

channel = socket.socket(fileno=0)
channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
ready = bytes((0x92, 0, 0xA1)) + b"3"
kind = os.environ["IMPOSTOR"]
if kind == "another packet":
    channel.send(bytes((0x92, 1, 0)))
elif kind == "no MessagePack":
    channel.send(b"\xc1" * 100)
elif kind == "a packet that is too long":
    channel.send(ready * (1 << 15))
elif kind == "its own end":
    raise SystemExit(3)
elif kind == "a closed socket":
    os.close(channel.detach())
elif kind == "silence":
    pass
elif kind in ("a worker that reads nothing", "a worker that reads all"):
    channel.send(ready)
while kind == "a worker that reads all" and channel.recv(1 << 18):
    pass
time.sleep(60)
