// POST /cni: bytes of a call of the CNI plugin in, its standard output back, with status 200 or 422 for exit code 0 or 1. What
// the bytes mean is cni/call-body.ts's; who answers is handed in.
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** Answers a call. `signal` is aborted when whoever asked is gone. Never rejects. */
export interface CniHandler {
  (
    body: Buffer,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly exitCode: 0 | 1; readonly stdout: string }>;
  close(): Promise<void>;
}

/** Bytes. The launcher sends at most 2 MiB. */
const bodyLimit = 8 << 20;

/** In a scope of its own: only this route takes bytes, and it takes nothing else. */
export function addCniRoute(app: FastifyInstance, handle: CniHandler): void {
  app.register((scope, _, ready) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    scope.post('/cni', { bodyLimit }, async ({ body, raw }, reply) => {
      const signal = whenGone(raw.socket);
      // What came in while this process stood still: the hang-up is heard with the request, but told after it.
      await turn();
      const call = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
      const { exitCode, stdout } = await handle(call, { signal });
      return reply
        .code(exitCode === 0 ? 200 : 422)
        .type('application/json')
        .send(stdout);
    });
    ready();
  });
}

/** No caller shuts only one direction. */
function whenGone(socket: Socket): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  if (socket.destroyed || socket.readableEnded) abort();
  socket.once('end', abort).once('close', abort);
  return gone.signal;
}
