/**
 * Builds `release/Containerfile` without a container registry. Substitutes for its base images have only what the
 * build and the program need: Bun, its libraries, and a shell.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../support/source_files.ts";

const SHELL = "/bin/sh";
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** The image of the Containerfile, mounted. Needs root and Buildah. */
export class ContainerImage implements Disposable {
  /** The folder of the image's file system. */
  readonly root: string;
  readonly #storage: string;

  /** Builds the image, with storage in a folder. */
  constructor(storage: string, bun: string) {
    this.#storage = storage;
    this.#makeBase("docker.io/oven/bun:1.4", (root) => {
      copyWithLibraries(root, SHELL);
      copyWithLibraries(root, bun, "/usr/local/bin/bun");
      copy(root, CERTIFICATES);
    }, ["--env", `SSL_CERT_FILE=${CERTIFICATES}`, "--env", "PATH=/usr/local/bin:/usr/bin"]);
    this.#makeBase("docker.io/library/debian:stable-slim", (root) => copyLibraries(root, bun));
    const options = ["--isolation", "chroot", "--pull-never", "--file", "release/Containerfile"];
    this.#run("build", ...options, "--tag", "berth", ROOT);
    this.root = this.#run("mount", this.#run("from", "--pull-never", "localhost/berth"));
  }

  /** The command that a container would run, in the file system of the image with `/proc` and `/dev`. */
  command(...args: readonly string[]): string[] {
    const image = JSON.parse(this.#run("inspect", "--type", "image", "localhost/berth"));
    const mounts =
      'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"';
    for (const folder of ["proc", "dev"]) mkdirSync(join(this.root, folder), { recursive: true });
    const program = [...image.OCIv1.config.Entrypoint, ...args];
    return ["unshare", "--mount", "sh", "-c", mounts, this.root, ...program];
  }

  /** Unmounts the image. */
  [Symbol.dispose](): void {
    this.#run("umount", "--all");
    this.#run("rm", "--all");
  }

  #makeBase(name: string, fill: (root: string) => void, config: readonly string[] = []): void {
    const container = this.#run("from", "scratch");
    const root = this.#run("mount", container);
    for (const folder of ["bin", "lib", "lib64"]) {
      mkdirSync(join(root, "usr", folder), { recursive: true });
      symlinkSync(join("usr", folder), join(root, folder));
    }
    mkdirSync(join(root, "tmp"));
    fill(root);
    this.#run("umount", container);
    this.#run("config", ...config, container);
    this.#run("commit", "--quiet", container, name);
    this.#run("rm", container);
  }

  #run(command: string, ...args: readonly string[]): string {
    const storage = [
      "--root",
      join(this.#storage, "root"),
      "--runroot",
      join(this.#storage, "run"),
    ];
    const options = ["--storage-driver", "vfs", ...storage, command, ...args];
    return execFileSync("buildah", options, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
  }
}

function copyWithLibraries(root: string, program: string, to = program): void {
  copy(root, program, to);
  copyLibraries(root, program);
}

function copyLibraries(root: string, program: string): void {
  const libraries = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  for (const library of libraries) copy(root, library);
}

function copy(root: string, path: string, to = path): void {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  copyFileSync(realpathSync(path), join(root, to));
}
