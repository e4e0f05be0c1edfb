"""A program in systemd's place: service_manager.py FOLDER COMMAND..., where COMMAND runs the service on a
TUN device with --admin unix:FOLDER/admin. Checks that the device is kept while the service restarts, and that
an upgrade moves the main process. Prints what happened."""
import array, os, signal, socket, subprocess, sys, threading

folder, command = sys.argv[1], sys.argv[2:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.settimeout(20)
notify.bind(folder + "/notify")
kept = {}


def receive():
    """The next message; descriptors are kept, as the unit's store does."""
    data, parts, _, _ = notify.recvmsg(4096, 1024)
    text = data.decode()
    for _, _, raw in parts:
        fds = array.array("i")
        fds.frombytes(raw)
        name = text.split("FDNAME=")[1]
        kept.setdefault(name, []).extend(fds)
    return text


def until(first):
    while True:
        text = receive()
        if text.split("\n")[0].startswith(first):
            return text


def start():
    names = [name for name, fds in kept.items() for _ in fds]
    held = [fd for fds in kept.values() for fd in fds]

    def prepare():
        copies = [os.dup(fd) for fd in held]
        high = [os.dup2(fd, 200 + i) for i, fd in enumerate(copies)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
        os.closerange(3 + len(high), 1000)
        os.environ.update(NOTIFY_SOCKET=folder + "/notify")
        if held:
            os.environ.update(
                LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=":".join(names)
            )

    return subprocess.Popen(
        command, preexec_fn=prepare, close_fds=False, stdout=subprocess.DEVNULL, stderr=2
    )


def echo(client):
    client.sendall(b"ahoy")
    return client.recv(100).decode()


def index():
    return open("/sys/class/net/berth0/ifindex").read()


first = start()
until("READY=1")
while "tun-berth0" not in kept:
    receive()
workers = len(kept["tun-berth0"])
print("stored", workers)
before = index()
first.kill()
first.wait()
print("device stays", index() == before)

# The SYN waits in the device while there is no service.
answers = []


def ask():
    with socket.create_connection(("10.90.0.2", 7), timeout=30) as client:
        answers.append(echo(client))


waiting = threading.Thread(target=ask)
waiting.start()
second = start()
until("READY=1")
waiting.join()
print("answered", answers)
print("same device", index() == before)

client = socket.create_connection(("10.90.0.2", 7))
upgrade = subprocess.Popen(sys.argv[2 : sys.argv.index("--tun")] + ["upgrade", "--admin", "unix:" + folder + "/admin"],
                           stdout=subprocess.DEVNULL)
main = int(until("MAINPID=").split("\n")[0].split("=")[1])
print("upgraded", upgrade.wait(), main != second.pid, echo(client))
client.close()
print("old process", second.wait())
os.kill(main, signal.SIGTERM)
until("STOPPING=1")
print("stopping")
