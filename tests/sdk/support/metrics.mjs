// The numbers of a server under test, as Prometheus scrapes them.
import assert from "node:assert/strict";
import { freePorts } from "./ports.mjs";
import { eventually } from "./refusals.mjs";
import { Server } from "./server.mjs";

/** A server with a metrics port. */
export async function startWithMetrics(flags = {}, shards = 2) {
  const metricsPort = await freePorts(1);
  const server = await Server.start({ shards, flags: { "metrics.prometheus_port": metricsPort, ...flags } });
  server.metricsPort = metricsPort;
  // It listens a moment after the ports that `start` waits for.
  await eventually("metrics are served", () => fetch(`http://127.0.0.1:${metricsPort}/`).then(() => true, () => false));
  return server;
}

/** The sum of a metric over its labels. */
export async function metric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/`)).text();
  const ours = new RegExp(`^nakama_${name}(\\{|\\s)`);
  const lines = text.split("\n").filter((line) => ours.test(line));
  assert.ok(lines.length > 0, `no ${name} in the metrics`);
  return lines.reduce((sum, line) => sum + Number(line.split(" ").pop()), 0);
}
