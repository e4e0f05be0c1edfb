"""A client of python3-h2, which checks what a server sends against RFC 9113: h2_client.py HOST PORT.

Uploads and downloads at once on one connection, with windows that are opened as they are used;
resets a stream, sends trailers and a body after 100 (Continue). Prints one line for each.
"""
import hashlib
import socket
import sys

import h2.config
import h2.connection
import h2.events

SIZE = 300_000


def pattern(stream):
    return bytes((stream * 31 + i * 7) & 255 for i in range(SIZE))


class Client:
    def __init__(self, host, port):
        self.authority = host
        self.socket = socket.create_connection((host, port), timeout=20)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.bodies, self.heads, self.ended, self.informed = {}, {}, set(), set()
        self.uploads = {}
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, method, path, ends=True, *more):
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path)]
        self.h2.send_headers(stream, fields + list(more), end_stream=ends)
        self.bodies[stream] = b""
        self.flush()
        return stream

    def pump_uploads(self):
        for stream, rest in list(self.uploads.items()):
            while rest:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if room <= 0:
                    break
                self.h2.send_data(stream, rest[:room], end_stream=len(rest) <= room)
                rest = rest[room:]
            self.uploads[stream] = rest
        self.flush()

    def run(self, *streams):
        while not self.ended.issuperset(streams):
            self.pump_uploads()
            data = self.socket.recv(65536)
            if not data:
                raise SystemExit("the server has ended the connection")
            for event in self.h2.receive_data(data):
                self.take(event)
            self.flush()

    def take(self, event):
        if isinstance(event, h2.events.InformationalResponseReceived):
            self.informed.add(event.stream_id)
            self.uploads[event.stream_id] = b"ahoy"
        elif isinstance(event, h2.events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise SystemExit(f"GOAWAY {event.error_code} {event.additional_data}")


client = Client(sys.argv[1], int(sys.argv[2]))
uploads = [client.ask("PUT", "/digest", False) for _ in range(5)]
for stream in uploads:
    client.uploads[stream] = pattern(stream)
downloads = [client.ask("GET", f"/bytes/{SIZE}") for _ in range(5)]
client.run(*uploads, *downloads)
right = [hashlib.sha256(pattern(s)).hexdigest().encode() == client.bodies[s] for s in uploads]
print("uploads", right.count(True))
print("downloads", [len(client.bodies[s]) for s in downloads].count(SIZE))

stream = client.ask("GET", "/bytes/100000000")
client.h2.reset_stream(stream, 8)
client.flush()
stream = client.ask("GET", "/number/7")
client.run(stream)
print("after a reset", client.bodies[stream].decode().strip())

stream = client.ask("PUT", "/digest", False, ("expect", "100-continue"))
client.run(stream)
print("continue", stream in client.informed, client.bodies[stream].decode() == hashlib.sha256(b"ahoy").hexdigest())

stream = client.ask("PUT", "/digest", False)
client.h2.send_data(stream, b"ahoy")
client.h2.send_headers(stream, [("x-sum", "1")], end_stream=True)
client.flush()
client.run(stream)
print("trailers", client.bodies[stream].decode() == hashlib.sha256(b"ahoy").hexdigest())

client.h2.close_connection()
client.flush()
while client.socket.recv(65536):
    pass
print("end")
