"""Runs a program on a pseudo-terminal and sends keys to it.

Arguments: the steps as JSON, and the command. A step waits until the screen matches "expect", and then does
one of "send" (keys), "size" ([columns, rows]) or "signal" (a number, to the program or to "pid"). Prints JSON:
the screen at each step, the exit status, whether the terminal has its earlier settings again, and the end of
what was written.

The program has to draw whole screens: it moves the cursor home, writes, and erases the rest.
"""
import fcntl, json, os, pty, re, select, struct, sys, termios, time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
LIMIT = 15


def set_size(fd, size):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))


def screen_of(raw):
    whole = re.findall(r"\x1b\[H((?:(?!\x1b\[H).)*?)\x1b\[J", raw, re.S)
    last = whole[-1] if whole else ""
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", last).replace("\r", "")


master, slave = pty.openpty()
set_size(slave, steps[0].get("size", [80, 24]))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.close(master)
    os.execvp(command[0], command)

raw, screens, status = "", [], None
deadline = time.time() + LIMIT
pending = list(steps)
while status is None and time.time() < deadline:
    ready, _, _ = select.select([master], [], [], 0.05)
    if ready:
        try:
            raw += os.read(master, 65536).decode("utf8", "replace")
        except OSError:
            pass
    while pending and re.search(pending[0].get("expect", ""), screen_of(raw), re.M):
        step = pending.pop(0)
        screens.append(screen_of(raw))
        if "send" in step:
            os.write(master, step["send"].encode())
        if "size" in step and len(screens) > 1:
            set_size(master, step["size"])
        if "signal" in step:
            os.kill(step.get("pid", pid), step["signal"])
        break
    done, code = os.waitpid(pid, os.WNOHANG)
    if done:
        status = os.WTERMSIG(code) + 128 if os.WIFSIGNALED(code) else os.WEXITSTATUS(code)
while select.select([master], [], [], 0.1)[0]:
    try:
        raw += os.read(master, 65536).decode("utf8", "replace")
    except OSError:
        break
if status is None:
    os.kill(pid, 9)
print(json.dumps({
    "screens": screens,
    "last": screen_of(raw),
    "waitingFor": pending[0].get("expect") if pending else None,
    "exit": status,
    "isRestored": termios.tcgetattr(slave) == before,
    "end": raw[-120:],
}))
