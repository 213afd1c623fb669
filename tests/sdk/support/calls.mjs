// One call both ways: over gRPC by an unmodified client, and over HTTP by the binding that the protocol
// publishes for it. Requests are written as gRPC has them.
import path from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const protoDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../proto/proto");
const loading = { includeDirs: [protoDir], keepCase: true, longs: String, defaults: true };
const definition = loader.loadSync("nakama/api/nakama.proto", loading);
const { Nakama } = grpc.loadPackageDefinition(definition).nakama.api;
const methods = definition["nakama.api.Nakama"];

/** The HTTP status of a gRPC code. */
export const STATUS = { 0: 200, 3: 400, 5: 404, 6: 409, 7: 403, 9: 400, 12: 501, 13: 500, 16: 401 };

export class Calls {
  constructor(server) {
    this.server = server;
    this.stub = new Nakama(`127.0.0.1:${server.grpcPort}`, grpc.credentials.createInsecure());
  }

  /** Yields `{ code, message }` of a failure, `{ code: 0, reply }` of a success. */
  grpc(user, rpc, request = {}) {
    const metadata = new grpc.Metadata();
    if (user) metadata.set("authorization", `Bearer ${user.session.token}`);
    const options = { deadline: Date.now() + 20_000 };
    return new Promise((resolve) =>
      this.stub[rpc](request, metadata, options, (error, reply) =>
        resolve(error ? { code: error.code, message: error.details } : { code: 0, reply }),
      ),
    );
  }

  /** The reply of a call that succeeds. */
  async ok(user, rpc, request) {
    const { code, message, reply } = await this.grpc(user, rpc, request);
    if (code !== 0) throw new Error(`${rpc}: ${code} ${message}`);
    return reply;
  }

  /** As `grpc`, with the HTTP status. */
  async http(user, rpc, request = {}) {
    const { method, uri, body } = binding(rpc, request);
    const headers = user ? { authorization: `Bearer ${user.session.token}` } : {};
    const response = await fetch(`${this.server.url}${uri}`, { method, headers, body });
    const reply = await response.json();
    if (response.ok) return { status: response.status, code: 0, reply };
    return { status: response.status, code: reply.code, message: reply.message };
  }

  close() {
    this.stub.close();
  }
}

/** Whether HTTP can say it: an empty part of a path leads elsewhere. */
export function fitsHttp(rpc, request) {
  return [...template(rpc).uri.matchAll(/\{(\w+)\}/g)].every(([, field]) => request[field]);
}

function template(rpc) {
  const { body, additional_bindings, ...verb } = methods[rpc].options["(google.api.http)"];
  const [[method, uri]] = Object.entries(verb);
  return { method: method.toUpperCase(), uri, body };
}

/** A wrapped value is bare in JSON. */
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  if (Object.keys(value).join() === "value") return value.value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bare(inner)]));
}

function binding(rpc, request) {
  const { method, uri, body } = template(rpc);
  const rest = { ...request };
  const filled = uri.replace(/\{(\w+)\}/g, (_, field) => {
    const value = rest[field];
    delete rest[field];
    return encodeURIComponent(value);
  });
  if (body === "*") return { method, uri: filled, body: JSON.stringify(bare(rest)) };
  const inside = body ? rest[body] : undefined;
  if (body) delete rest[body];
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(bare(rest))) for (const one of [value].flat()) query.append(name, one);
  const asked = query.size > 0 ? `${filled}?${query}` : filled;
  return { method, uri: asked, body: body && JSON.stringify(bare(inside ?? {})) };
}
