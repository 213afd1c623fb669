// Leaderboards put into the database as an operator's migration would: no client can create one.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const text = (value) => `'${value.replaceAll("'", "''")}'`;

/** A point in time, in seconds since 1970; the two stores write it in two ways. */
export class Time {
  constructor(seconds) {
    this.seconds = seconds;
  }
}

function written(store, value) {
  if (value instanceof Time) {
    return store === "sqlite" ? `${value.seconds}000000` : `to_timestamp(${value.seconds})`;
  }
  if (typeof value === "boolean") return store === "sqlite" ? String(Number(value)) : String(value);
  return typeof value === "number" ? String(value) : text(value);
}

/** Runs a statement on the database under a running server. */
export async function sql(context, statement) {
  if (context.store === "postgres") return context.postgres.sql("kakera", statement);
  const file = path.join(context.server.dir, "kakera.db");
  const { stdout } = await run("sqlite3", ["-cmd", ".timeout 5000", file, statement]);
  return stdout.trim();
}

/** Inserts a board; `columns` are those of the table `leaderboard`. */
export async function insertBoard(context, columns) {
  // Old SQLite shells cannot work out the table's own defaults for these.
  const now = new Time(Math.floor(Date.now() / 1000));
  const all = { create_time: now, start_time: now, ...columns };
  const names = Object.keys(all).join(", ");
  const values = Object.values(all).map((value) => written(context.store, value)).join(", ");
  await sql(context, `INSERT INTO leaderboard (${names}) VALUES (${values})`);
}
