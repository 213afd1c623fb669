// Free loopback ports for a server under test.
import net from "node:net";

function listen(port) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Whether somebody listens on the port. */
export async function isTaken(port) {
  try {
    const held = await listen(port);
    await new Promise((done) => held.close(done));
    return false;
  } catch {
    return true;
  }
}

/** The base of a run of `count` neighbouring free ports: gRPC takes the port below the request port. */
export async function freePorts(count) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const base = 20000 + Math.floor(Math.random() * 12000);
    const held = [];
    try {
      for (let port = base; port < base + count; port += 1) held.push(await listen(port));
      return base;
    } catch {
      // One of the run is taken: try another run.
    } finally {
      await Promise.all(held.map((server) => new Promise((done) => server.close(done))));
    }
  }
  throw new Error("no run of free ports on the loopback interface");
}
