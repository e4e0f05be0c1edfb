import { describe, expect, test } from "bun:test";
import {
  attachError,
  configureError,
  goneError,
  isDeviceGone,
  openError,
} from "../../../../adapters/links/tun/error.ts";

describe("TunError", () => {
  // The error numbers are Linux's: ENOENT, ENODEV, EACCES, EPERM, EMFILE.
  test.each([
    [2, "NO_TUN_DEVICE", "mknod"],
    [19, "NO_TUN_DEVICE", "modprobe tun"],
    [13, "NO_PRIVILEGE", "unshare -Urn"],
    [1, "NO_PRIVILEGE", "CAP_NET_ADMIN|NET_ADMIN"],
    [24, "SYSTEM", "24"],
  ])("says what to do when /dev/net/tun cannot be opened (%d)", (errno, code, hint) => {
    const error = openError(errno);
    expect<unknown>([error.code, error.errno]).toEqual([code, errno]);
    expect(error.message).toMatch(new RegExp(hint));
    expect(error.message).not.toContain("\n");
  });

  // EBUSY, EINVAL, EPERM, ENOMEM.
  test.each([
    [16, "NAME_TAKEN", "Another program uses tun7"],
    [22, "NAME_TAKEN", "tun7 is another kind of network device"],
    [1, "NO_PRIVILEGE", "tun7"],
    [12, "SYSTEM", "tun7"],
  ])("says why a device cannot be attached (%d)", (errno, code, hint) => {
    const error = attachError("tun7", errno);
    expect<unknown>(error.code).toBe(code);
    expect(error.message).toContain(hint);
  });

  // The message names the attempted setting.
  test("says what could not be configured", () => {
    expect(configureError("set the MTU 9 of tun7", 22).message)
      .toBe("Failed to set the MTU 9 of tun7: Linux error 22");
    expect(configureError("set the MTU 9 of tun7", 1).code).toBe("NO_PRIVILEGE");
  });

  // EBADFD follows `ip link delete`; EAGAIN and EIO come from a device that is down.
  test("distinguishes a removed device from one that is down", () => {
    expect([77, 19, 9, 11, 5].map(isDeviceGone)).toEqual([true, true, true, false, false]);
    expect(goneError("tun7").code).toBe("DEVICE_GONE");
  });
});
