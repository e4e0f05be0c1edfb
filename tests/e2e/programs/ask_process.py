"""Clients of a published UDP port on 127.0.0.1 and ::1 during an upgrade: ask_process.py PORT COMMAND..., where COMMAND
makes the upgrade. Several clients have flows before; one asks all the time meanwhile; others come afterwards. Prints
what they were answered."""
import socket, subprocess, sys, threading

port, command = int(sys.argv[1]), sys.argv[2:]


def client(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(20)
    opened.connect((host, port))
    return opened


def ask(opened):
    opened.send(b"?")
    pid, count = opened.recv(100).split()
    return int(pid), int(count)


hosts = ["127.0.0.1", "::1"]
early = [client(host) for host in hosts for _ in range(20)]
first = {ask(one)[0] for one in early}
print("one process", len(first) == 1)

steady, counts, is_over = client("127.0.0.1"), [], threading.Event()


def ask_all_the_time():
    while not is_over.is_set():
        counts.append(ask(steady))


asking = threading.Thread(target=ask_all_the_time)
asking.start()
print("upgraded", subprocess.run(command, stdout=subprocess.DEVNULL).returncode)
answers = [ask(one) for one in early]
print("early clients stay", {pid for pid, _ in answers} == first, {count for _, count in answers})
late = {ask(client(host))[0] for host in hosts for _ in range(20)}
print("late clients", len(late), late != first)
for _ in range(3):
    answers = [ask(one) for one in early]
print("early clients stay", {pid for pid, _ in answers} == first, {count for _, count in answers})
is_over.set()
asking.join()
print("all the time", {pid for pid, _ in counts} == first, [(i + 1, c) for i, (_, c) in enumerate(counts) if c != i + 1][:3])
