"""The other side of ZeroMQ tests: a program of its own, for Debian's zmq belongs to Debian's Python.

    zeromq_peer.py push|pub|pull|sub bind|connect ADDRESS [curve SERVER_PUBLIC PUBLIC SECRET]

Senders send each line of their input as a message; TAB separates its parts. Receivers print each
message so, until their input ends. `keys` prints a pair of keys.
"""
import sys

import zmq

if sys.argv[1] == "keys":
    print(*(k.decode() for k in zmq.curve_keypair()))
    sys.exit(0)
kind, how, address = sys.argv[1:4]
context = zmq.Context()
s = context.socket(getattr(zmq, {"pub": "XPUB"}.get(kind, kind.upper())))
if len(sys.argv) > 4:
    s.curve_serverkey, s.curve_publickey, s.curve_secretkey = (k.encode() for k in sys.argv[5:8])
s.bind(address) if how == "bind" else s.connect(address)
if kind == "sub":
    s.subscribe(b"")
if kind == "pub":
    s.recv()  # until somebody has subscribed
if kind in ("push", "pub"):
    for line in sys.stdin.buffer:
        s.send_multipart(line.rstrip(b"\n").split(b"\t"))
    s.close(linger=5000)
    context.term()
else:
    print("ready", flush=True)
    poller = zmq.Poller()
    poller.register(s, zmq.POLLIN)
    poller.register(sys.stdin, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if s in ready:
            sys.stdout.buffer.write(b"\t".join(s.recv_multipart()) + b"\n")
            sys.stdout.flush()
        elif ready:
            break
    s.close(linger=0)
    context.term()
