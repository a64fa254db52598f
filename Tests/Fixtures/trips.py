"""What is on the other side of the round trips that are measured."""

import json
import socket
import sys


def nothing(a, b):
    return 0


def length(values):
    return len(values)


def echo():
    channel = socket.socket(fileno=0)
    receive, send = channel.recv, channel.send
    while packet := receive(16):
        send(packet)


def reply():
    print(json.dumps({"found": nothing(**json.load(sys.stdin))}))


if __name__ == "__main__":
    {"echo": echo, "reply": reply}[sys.argv[1]]()
