// A private PostgreSQL cluster: its own data directory, its own port, gone after the test.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePorts } from "./ports.mjs";

const run = promisify(execFile);
const asRoot = process.getuid() === 0;

function binaries() {
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((v) => path.join(base, v, "bin")).find((dir) => existsSync(path.join(dir, "initdb")));
  if (!found) throw new Error(`no PostgreSQL server below ${base}: tests/run installs one`);
  return found;
}

/** PostgreSQL refuses to run as root, so its programs run as the user its package made. */
function as(user, program, args) {
  return asRoot ? run("runuser", ["-u", user, "--", program, ...args]) : run(program, args);
}

export class Postgres {
  static async start() {
    const cluster = new Postgres();
    cluster.bin = binaries();
    cluster.dir = mkdtempSync(path.join(tmpdir(), "kakera-pg-"));
    if (asRoot) await run("chown", ["postgres", cluster.dir]);
    cluster.port = await freePorts(1);
    cluster.data = path.join(cluster.dir, "data");
    await as("postgres", path.join(cluster.bin, "initdb"), ["-D", cluster.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
    await cluster.up();
    return cluster;
  }

  async up() {
    const options = `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${this.dir}`;
    await as("postgres", path.join(this.bin, "pg_ctl"), ["-D", this.data, "-w", "-l", path.join(this.dir, "log"), "-o", options, "start"]);
  }

  /** Kills the database as a power cut would. */
  async down() {
    await as("postgres", path.join(this.bin, "pg_ctl"), ["-D", this.data, "-m", "immediate", "stop"]);
  }

  async createDatabase(name) {
    await this.sql("postgres", `CREATE DATABASE ${name}`);
    return `postgres@127.0.0.1:${this.port}/${name}`;
  }

  /** The rows of a statement as text, fields apart by `|`. */
  async sql(database, statement) {
    const { stdout } = await run(path.join(this.bin, "psql"), ["-h", "127.0.0.1", "-p", String(this.port), "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc", statement]);
    return stdout.trim();
  }

  async stop() {
    await this.down().catch(() => {});
    rmSync(this.dir, { recursive: true, force: true });
  }
}
