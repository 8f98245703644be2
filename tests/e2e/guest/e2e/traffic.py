"""Traffic of the scenarios: servers that say who they are, clients that check every byte.

serve PROTOCOL ADDRESS PORT WORD   answers everything with WORD, a blank and what it got
serve dns ADDRESS PORT             answers that there is no such name, whatever it is
talk PROTOCOL ADDRESS PORT         prints the server's WORD, or says what went wrong
hold ADDRESS PORT FIFO             keeps a connection; each line in FIFO is a question
queue ADDRESS PORT NUMBER          that many clients at once; prints how many were served
"""

import os
import socket
import sys
import threading

# Seconds for one exchange; an emulated machine under load is slow.
PATIENCE = int(os.environ["PATIENCE"])


def addressed(protocol, address, port):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    return socket.getaddrinfo(address, int(port), type=kind, flags=socket.AI_NUMERICHOST)[0]


def answer(connection, word):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(word + b" " + data)


def no_such_name(question):
    """A reply to a DNS question: the question once more, its flags those of NXDOMAIN (RFC 1035, 4.1.1)."""
    return question[:2] + b"\x81\x83" + question[4:]


def serve(protocol, address, port, word=""):
    family, kind, number, _, where = addressed(protocol, address, port)
    listener = socket.socket(family, kind, number)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    if protocol == "tcp":
        listener.listen(256)
    print("ready", flush=True)
    while True:
        if protocol == "tcp":
            threading.Thread(target=answer, args=(listener.accept()[0], word.encode()), daemon=True).start()
        else:
            data, client = listener.recvfrom(65536)
            reply = no_such_name(data) if protocol == "dns" else word.encode() + b" " + data
            listener.sendto(reply, client)


def connected(protocol, address, port):
    family, kind, number, _, where = addressed(protocol, address, port)
    connection = socket.socket(family, kind, number)
    connection.settimeout(PATIENCE if protocol == "tcp" else 2)
    connection.connect(where)
    return connection


def ask(connection, question):
    """The word of the server, once the whole question has come back."""
    connection.sendall(question)
    got = b""
    while not got.endswith(b" " + question):
        data = connection.recv(65536)
        if not data:
            raise OSError(f"closed after {got!r}")
        got += data
    return got.split(b" ", 1)[0].decode()


def talk(protocol, address, port):
    print(ask(connected(protocol, address, port), b"who are you"))


def hold(address, port, fifo):
    connection = connected("tcp", address, port)
    local = connection.getsockname()[1]
    print(ask(connection, b"first"), local, flush=True)
    while True:
        with open(fifo) as questions:
            for line in questions:
                print(ask(connection, line.strip().encode()), local, flush=True)


def queue(address, port, number):
    """All connect first, which a listener's queue allows with nobody there; then all ask."""
    clients = [connected("tcp", address, port) for _ in range(int(number))]
    print("queued", flush=True)
    served = sum(bool(ask(client, b"question %d" % n)) for n, client in enumerate(clients))
    print("served", served, flush=True)


def main():
    try:
        {"serve": serve, "talk": talk, "hold": hold, "queue": queue}[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"{' '.join(sys.argv[1:])}: {error}")


main()
