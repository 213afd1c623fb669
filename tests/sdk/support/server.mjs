// One Kakera process under test, on loopback ports of its own and with a data directory of its own.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts, isTaken } from "./ports.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const binary = process.env.SERVER_UNDER_TEST ?? path.join(root, "target/release/kakera");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Server {
  /**
   * Starts a server and waits until it answers.
   * `database`: absent for the embedded store, else a PostgreSQL address, which is migrated first.
   * `flags`: further flags as `{ "socket.server_key": "x" }`; a list repeats the flag.
   * `ignores`: a signal that the process is to ignore, without its SIG.
   */
  static async start({ shards = 2, database, flags = {}, ignores } = {}) {
    const server = new Server();
    server.ignores = ignores;
    server.dir = mkdtempSync(path.join(tmpdir(), "kakera-"));
    server.grpcPort = await freePorts(6);
    server.port = server.grpcPort + 1;
    server.consolePort = server.grpcPort + 5;
    server.log = "";
    const store = database
      ? { "database.address": database }
      : { "database.path": path.join(server.dir, "kakera.db") };
    server.flags = {
      name: "test",
      shards,
      "socket.address": "127.0.0.1",
      "socket.port": server.port,
      "console.address": "127.0.0.1",
      "console.port": server.consolePort,
      ...store,
      ...flags,
    };
    if (database) execFileSync(binary, ["migrate", "up", "--database.address", database], { stdio: "pipe" });
    await server.up();
    return server;
  }

  async up() {
    const args = Object.entries(this.flags).flatMap(([key, value]) =>
      [value].flat().flatMap((one) => [`--${key}`, String(one)]),
    );
    const [program, ...before] = this.ignores
      ? ["sh", "-c", `trap '' ${this.ignores}; exec "$0" "$@"`, binary]
      : [binary];
    this.process = spawn(program, [...before, "serve", ...args], {
      cwd: this.dir,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve({ code, signal })));
    let [heard, ready] = ["", false];
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        this.log = (this.log + text).slice(-200_000);
        heard = `${heard.slice(-100)}${text}`;
        ready ||= heard.includes("Startup done");
      });
    }
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline) {
      if (this.process.exitCode !== null) throw new Error(`the server ended at start:\n${this.log}`);
      // One shard may answer before the others do.
      if (ready) return;
      await sleep(20);
    }
    await this.kill();
    throw new Error(`the server did not answer within 20 s:\n${this.log}`);
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.process.pid;
  }

  /** kill -9: what was acknowledged must be there after `up()`. */
  async kill() {
    this.process.kill("SIGKILL");
    const how = await this.exited;
    // The kernel ends a killed ring, and frees its ports, a moment after the process is gone.
    while (await isTaken(this.port)) await sleep(10);
    return how;
  }

  async terminate() {
    this.process.kill("SIGTERM");
    return this.exited;
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGTERM");
      const late = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
      await this.exited;
      clearTimeout(late);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
