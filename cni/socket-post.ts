// One HTTP POST over a unix socket on node:net: the client of node:http takes longer to load than a pod to wire. Knows only what
// the agent's server answers (a body of stated length, the connection closed after it).
import { createConnection } from 'node:net';

export interface SocketPost {
  readonly socketPath: string;
  readonly path: string;
  readonly body: Uint8Array;
  /** Milliseconds until the whole answer must be there. */
  readonly timeoutMs: number;
}

/** `absent`: nobody listens, or the connection ended early. `denied`, `timeout`: as they say. */
export type PostOutcome =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'absent' | 'denied' | 'timeout'; readonly detail: string };

/** More than any answer has: a server that never ends is not waited for. */
const longestAnswer = 16 << 20;

/** Never rejects. */
export function postToSocket({ socketPath, path, body, timeoutMs }: SocketPost): Promise<PostOutcome> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const socket = createConnection(socketPath);
    const end = (outcome: PostOutcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(
      () => end({ kind: 'timeout', detail: `no answer within ${timeoutMs} ms from "${socketPath}"` }),
      timeoutMs,
    );
    socket.on('error', (error) => {
      const denied = 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
      end({ kind: denied ? 'denied' : 'absent', detail: error.message });
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > longestAnswer) end({ kind: 'absent', detail: 'the answer does not end' });
    });
    socket.on('end', () => end(parseAnswer(Buffer.concat(chunks))));
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: netloom\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
  });
}

/** Reads a whole answer. Absent when it is cut off or no HTTP that we know. */
export function parseAnswer(answer: Buffer): PostOutcome {
  const split = answer.indexOf('\r\n\r\n');
  const [statusLine = '', ...headers] = answer.toString('latin1', 0, Math.max(split, 0)).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})\b/.exec(statusLine)?.[1];
  const length = headers
    .map((line) => /^content-length:\s*(\d+)\s*$/i.exec(line)?.[1])
    .find((found) => found);
  const body = answer.subarray(split + 4);
  if (status === undefined || length === undefined || body.length !== Number(length))
    return { kind: 'absent', detail: 'the answer is cut off' };
  return { kind: 'answered', status: Number(status), body: body.toString('utf8') };
}
