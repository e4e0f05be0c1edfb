/**
 * systemd as process 1 of namespaces of its own, for tests of the unit.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { Program } from "./program.ts";
import { SYSTEMD } from "./requirements.ts";
import { ROOT } from "./source_files.ts";
import { TemporaryFolder } from "./temporary_folder.ts";

/** Where the project and the program of this runtime are in the machine. */
export const PROJECT = "/opt/berth";
export const RUNTIME = "/opt/bin/runtime";

const LIMIT_MS = 60_000;

/** A cgroup for systemd, until stdin is closed. */
const HOLDER = `
set -e
group=/mnt/berth-test-$$
mount --make-rprivate /
mount -t cgroup2 none /mnt
mkdir $group
echo $$ > $group/cgroup.procs
setpriv --pdeathsig KILL unshare --mount --cgroup --pid --fork --kill-child=KILL sh -c "$MACHINE" </dev/null &
children=/proc/$!/task/$!/children
until [ -n "$(cat $children)" ]; do sleep 0.01; done
echo $(cat $children) held
cat >/dev/null
kill -KILL $(cat $children) || true
wait $! || true
echo $$ > /mnt/cgroup.procs
until find $group -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.01; done
`;

/**
 * The host's files, of which /etc can be changed in the machine. /proc/sys cannot, because systemd raises limits of the
 * kernel at its start. Of the host's units it has only the journal: others would load modules or set the clock.
 */
const MACHINE = `
set -e
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -t sysfs sysfs /sys
mount -t cgroup2 none /sys/fs/cgroup
umount /mnt
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/upper /run/work /run/project
: > /run/program
mount --bind "$PROJECT" /run/project
mount --bind "$PROGRAM" /run/program
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc
: > /etc/machine-id
mount -t tmpfs -o mode=755 none /var
mkdir -p /var/lib /var/log
mkdir -m 1777 /var/tmp
cp -R "$FILES"/. /
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs -o mode=755 none /dev/net
mknod -m 666 /dev/net/tun c 10 200
mount -t tmpfs -o mode=755 none /opt
mkdir -p ${PROJECT} ${dirname(RUNTIME)}
: > ${RUNTIME}
mount --move /run/project ${PROJECT}
mount --move /run/program ${RUNTIME}
units=/run/systemd/system
mkdir -p $units
for unit in service socket dev-log.socket; do
  ln -s /usr/lib/systemd/system/systemd-journald[.-]$unit $units
done
for target in sysinit basic network shutdown multi-user; do
  echo [Unit] > $units/$target.target
done
exec env -i PATH="$PATH" container=test SYSTEMD_UNIT_PATH=$units \
  ${SYSTEMD} --unit=systemd-journald.service --show-status=0
`;

/** A machine without services, but with a journal. It sees the host's files. */
export class SystemdMachine implements AsyncDisposable {
  readonly #holder: Program;
  readonly #enter: readonly string[];
  readonly #folder: TemporaryFolder;

  private constructor(holder: Program, enter: readonly string[], folder: TemporaryFolder) {
    this.#holder = holder;
    this.#enter = enter;
    this.#folder = folder;
  }

  /** Starts it; requires `"systemd"`. `files` has contents by path below `/etc` or `/run`. */
  static async open(files: Readonly<Record<string, string>>): Promise<SystemdMachine> {
    const folder = new TemporaryFolder();
    for (const [path, text] of Object.entries(files)) {
      if (!/^\/(etc|run)\//.test(path)) throw new Error(`${path} is not below /etc or /run`);
      mkdirSync(dirname(join(folder.path, path)), { recursive: true });
      folder.write(path, text);
    }
    const variables = {
      MACHINE,
      PROJECT: ROOT,
      PROGRAM: process.execPath,
      FILES: folder.path,
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    };
    const environment = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const unshare = ["unshare", "--mount", "--net", "--uts", "--ipc"];
    const holder = new Program(["env", ...environment, ...unshare, "sh", "-c", HOLDER], ROOT);
    const [, pid = ""] = await holder.printed(/^(\d+) held\n/);
    const namespaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup"];
    const enter = ["nsenter", "--target", pid, ...namespaces, "--", "env", "-i"];
    const machine = new SystemdMachine(
      holder,
      [...enter, `PATH=${variables.PATH}`, "LC_ALL=C"],
      folder,
    );
    while ((await machine.run("systemctl", "is-active", "systemd-journald")).exit !== 0);
    return machine;
  }

  /** Runs a program to its end. */
  run(...command: string[]): Promise<{ exit: unknown; out: string; log: string }> {
    const program = new Program([...this.#enter, ...command], ROOT);
    program.hush();
    return program.finish(LIMIT_MS);
  }

  /** Ends all its processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.hush();
    await this.#holder.finish(LIMIT_MS);
    this.#folder[Symbol.dispose]();
  }
}
