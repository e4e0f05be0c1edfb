"""Runs as root in a machine whose systemd has the unit berth: a service on 10.90.0.2, with echo on port 7 and a
plugin that never returns on port 9. systemd_checks.py RUNTIME ARGUMENT... is its command line without flags. Prints
what happened."""
import os, signal, socket, subprocess, sys, threading, time

CONFIG = "/etc/berth/berth.json"


def systemctl(*args):
    return subprocess.run(["systemctl", *args], capture_output=True, text=True)


def value(name):
    return systemctl("show", "-p", name, "--value", "berth").stdout.strip()


def main():
    return int(value("MainPID"))


def until(condition):
    while not condition():
        time.sleep(0.05)


def connect(port=7):
    return socket.create_connection(("10.90.0.2", port), timeout=60)


def echo(client):
    client.sendall(b"ahoy")
    return client.recv(100).decode()


def device():
    try:
        return open("/sys/class/net/berth0/ifindex").read()
    except FileNotFoundError:
        return None


def upgrade():
    """The exit code, and what went wrong."""
    command = sys.argv[1:] + ["upgrade", "--admin", "unix:/run/berth/admin.sock"]
    run = subprocess.run(command, capture_output=True, text=True)
    return f"{run.returncode}{run.stderr}"


def meanwhile(act):
    """Does something while a client connects; the client's answer."""
    answers = []
    client = threading.Thread(target=lambda: answers.append(echo(connect())))
    act(client.start)
    client.join()
    return answers


print("start", systemctl("start", "berth").returncode, value("StatusText"))
before = device()

held = connect()
print("reload", systemctl("reload", "berth").returncode, echo(held))
with open(CONFIG) as file:
    text = file.read()
with open(CONFIG, "w") as file:
    file.write(text.replace("echo", "ecko"))
print("faulty reload", systemctl("reload", "berth").returncode, echo(held), value("StatusText"))
with open(CONFIG, "w") as file:
    file.write(text)
journal = subprocess.run(["journalctl", "-u", "berth"], capture_output=True, text=True).stdout
print("the journal says why", "did you mean echo" in journal)
held.close()

# The SYN waits in the device while there is no service.
answers = meanwhile(lambda connect: (connect(), systemctl("restart", "berth")))
print("restart", answers, device() == before)

held, first = connect(), main()
print("upgrade", upgrade(), main() != first, echo(held), echo(connect()))

# systemd does not notice this by itself: the new process is not its child.
os.kill(main(), signal.SIGKILL)
until(lambda: main() == first)
print("upgrade undone", echo(held), echo(connect()), value("NRestarts"))
held.close()

# Without a connection the first process ends, and systemd watches over the new one.
exit = upgrade()
until(lambda: not os.path.exists(f"/proc/{first}"))
print("upgrade completed", exit, main() != first, echo(connect()), value("NRestarts"))


def kill(connect):
    pid = main()
    os.kill(pid, signal.SIGKILL)
    connect()
    until(lambda: main() not in (0, pid) and value("SubState") == "running")


print("killed", meanwhile(kill), device() == before, value("NRestarts"))


def hang(client):
    pid = main()
    connect(9)
    client()
    until(lambda: main() not in (0, pid) and value("SubState") == "running")


print("hung", meanwhile(hang), device() == before, value("NRestarts"))
print("stop", systemctl("stop", "berth").returncode, value("Result"), device(), value("NFileDescriptorStore"))
