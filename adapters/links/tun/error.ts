import * as linux from "./linux.ts";

/** Error codes of TUN devices. */
export type TunErrorCode =
  | "NO_TUN_DEVICE" // no /dev/net/tun
  | "NO_PRIVILEGE" // not allowed to open or to configure it
  | "NAME_TAKEN" // the name is used by another program or another kind of device
  | "BAD_NAME" // not a valid interface name in Linux
  | "BAD_OPTION" // invalid address, MTU or queue length
  | "UNSUPPORTED_PLATFORM" // not Linux on x86-64 or arm64, or Node.js without node:ffi
  | "DEVICE_GONE" // the device was removed while it was in use
  | "SYSTEM"; // any other failure of a system call

/**
 * The error of {@link openTun} and of its link; the message says what to do.
 *
 * @example
 * ```ts no_run
 * import { openTun, TunError } from "@berth/berth/links";
 *
 * try {
 *   await using link = await openTun({ name: "berth0" });
 *   console.log(link.name);
 * } catch (error) {
 *   if (error instanceof TunError && error.code === "NO_PRIVILEGE") console.log("run as root");
 *   else throw error;
 * }
 * ```
 */
export class TunError extends Error {
  /** Always `"TunError"`. */
  override readonly name = "TunError";
  /** The error code. */
  readonly code: TunErrorCode;
  /** The Linux error number, if a system call failed. */
  readonly errno: number | undefined;

  /** Creates an error. */
  constructor(code: TunErrorCode, message: string, options?: ErrorOptions & { errno?: number }) {
    super(message, options);
    this.code = code;
    this.errno = options?.errno;
  }
}

/** The error for a failure to open `/dev/net/tun`. */
export function openError(errno: number): TunError {
  switch (errno) {
    case linux.ENOENT:
      return new TunError(
        "NO_TUN_DEVICE",
        "There is no /dev/net/tun: run `mkdir -p /dev/net && mknod /dev/net/tun c 10 200` as root, " +
          "or start the container with `--device /dev/net/tun`",
        { errno },
      );
    case linux.ENODEV:
    case linux.ENXIO:
      return new TunError(
        "NO_TUN_DEVICE",
        "The kernel has no TUN driver: run `modprobe tun` as root",
        { errno },
      );
    case linux.EPERM:
    case linux.EACCES:
      return noPrivilege("open /dev/net/tun", errno);
    default:
      return systemError("open /dev/net/tun", errno);
  }
}

/** The error for a failure to create or attach a device. */
export function attachError(name: string, errno: number): TunError {
  switch (errno) {
    case linux.EBUSY:
      return takenError(name, errno);
    case linux.EINVAL:
    case linux.EEXIST:
      return new TunError(
        "NAME_TAKEN",
        `${name} is another kind of network device, or has one queue where several are ` +
          "needed, or the reverse: choose another name",
        { errno },
      );
    case linux.EPERM:
      return noPrivilege(`create or attach ${name}`, errno);
    default:
      return systemError(`create or attach ${name}`, errno);
  }
}

/** The error for a device used by another program. */
export function takenError(name: string, errno?: number): TunError {
  return new TunError(
    "NAME_TAKEN",
    `Another program uses ${name}: end it, or choose another name`,
    errno === undefined ? {} : { errno },
  );
}

/** The error for a failure to configure a device. */
export function configureError(what: string, errno: number): TunError {
  return errno === linux.EPERM || errno === linux.EACCES
    ? noPrivilege(what, errno)
    : systemError(what, errno);
}

/** Whether an error of `read` or `write` means that the device was removed. */
export function isDeviceGone(errno: number): boolean {
  return errno === linux.EBADFD || errno === linux.ENODEV || errno === linux.EBADF;
}

/** The error for a device that was removed, by `ip link delete` or with its network namespace. */
export function goneError(name: string): TunError {
  return new TunError("DEVICE_GONE", `${name} was removed: restart to create it again`);
}

function noPrivilege(what: string, errno: number): TunError {
  return new TunError(
    "NO_PRIVILEGE",
    `Not allowed to ${what}: run as root, in a container with \`--cap-add NET_ADMIN\`, or in a ` +
      "namespace of your own with `unshare -Urn COMMAND`",
    { errno },
  );
}

function systemError(what: string, errno: number): TunError {
  return new TunError("SYSTEM", `Failed to ${what}: Linux error ${errno}`, { errno });
}
