// Something that listens on an agent's socket and answers as a test wants, also wrongly. Not an agent.
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';

/** What came: undefined until a whole request is there. */
type Serve = (socket: Socket, request: FakeRequest) => void;

export interface FakeRequest {
  /** Request line and headers. */
  readonly head: string;
  readonly body: Buffer;
}

/** Calls `serve` once for each whole request; `connected` once for each connection. */
export async function fakeAgent(
  path: string,
  {
    serve = () => undefined,
    connected = () => undefined,
  }: { serve?: Serve; connected?: (socket: Socket) => void },
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const request = wholeRequest(Buffer.concat(chunks));
      if (request !== undefined) serve(socket, request);
    });
    connected(socket);
  });
  mkdirSync(dirname(path), { recursive: true });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function wholeRequest(bytes: Buffer): FakeRequest | undefined {
  const split = bytes.indexOf('\r\n\r\n');
  if (split < 0) return undefined;
  const head = bytes.toString('latin1', 0, split);
  const body = bytes.subarray(split + 4);
  return body.length === Number(/^content-length: (\d+)$/im.exec(head)?.[1]) ? { head, body } : undefined;
}

export function answer(status: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status} X\r\ncontent-length: ${bytes.length}\r\n\r\n`),
    bytes,
  ]);
}
