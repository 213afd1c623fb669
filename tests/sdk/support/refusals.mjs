// How a call is refused, and how to wait for what comes by itself.
import assert from "node:assert/strict";

/** Asserts that a socket's call is refused with this message and realtime code. */
export async function refused(promise, message, code = 3) {
  const error = await promise.then(() => assert.fail(`not refused: ${message}`), (reason) => reason);
  assert.equal(error.message, message);
  assert.equal(error.code ?? 0, code);
}

/** Sends what the SDK does not wait for, and waits for the reply. */
export function replied(socket, message) {
  return new Promise((resolve, reject) => {
    const cid = socket.generatecid();
    socket.cIds[cid] = { resolve, reject };
    setTimeout(() => reject(new Error("no reply")), 5000).unref();
    socket.adapter.send({ ...message, cid });
  });
}

/** Asks again until it is so. */
export async function eventually(what, probe, ms = 5000) {
  const deadline = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > deadline) assert.fail(what);
    await new Promise((done) => setTimeout(done, 20));
  }
}
