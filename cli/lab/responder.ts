// Answers inside every pod, node and "the internet" of a lab: HTTP and UDP on one port. One process for the whole lab holds
// the sockets, each in its own namespace; endpoint-sockets.ts makes them. Not a proof of anything: check.ts asks it.

import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { errorMessage } from '../../runtime/error-text.ts';
import { type EndpointSockets, openEndpoint } from './endpoint-sockets.ts';
import { createEndpointController } from './services/endpoint-controller.ts';

const endpointBody = z.object({
  netns: z.string().min(1),
  port: z.number().int().min(1).max(65535),
  datagrams: z.array(z.union([z.ipv4(), z.ipv6()])),
});

export interface Responder {
  close(): Promise<void>;
}

/**
 * Listens on the unix socket `controlPath` (its directory keeps others out) for
 * `PUT /endpoints/NAME {"netns": PATH, "port": N}`, `DELETE /endpoints/NAME`, `POST /endpoints/NAME/drain`
 * (EndpointSockets.drain), `GET /endpoints`, and `POST /sync`, which answers when
 * the lab's EndpointSlices are as its pods are.
 */
export async function startResponder(controlPath: string, lab: string): Promise<Responder> {
  const endpoints = new Map<string, EndpointSockets>();
  const controller = createEndpointController(lab, (pod) => endpoints.has(pod));
  const server = createServer((request, response) => {
    const answered =
      request.method === 'POST' && request.url === '/sync'
        ? Promise.resolve().then(() => {
            controller.sync();
            return {};
          })
        : handle(request, endpoints);
    answered.then(
      (answer) => respond(response, { status: 200, answer }),
      (error: unknown) =>
        respond(response, {
          status: 400,
          answer: { error: errorMessage(error) },
        }),
    );
  });
  rmSync(controlPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(controlPath, resolve);
  });
  return {
    async close() {
      await controller.close();
      for (const endpoint of endpoints.values()) endpoint.close();
      endpoints.clear();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function handle(request: IncomingMessage, endpoints: Map<string, EndpointSockets>): Promise<unknown> {
  const [, name, verb] = /^\/endpoints\/([a-z0-9-]+)(\/drain)?$/.exec(request.url ?? '') ?? [];
  if (request.method === 'GET') return { endpoints: [...endpoints.keys()] };
  if (name === undefined) throw new SyntaxError(`Cannot handle "${request.method} ${request.url}"`);
  if (verb !== undefined) {
    await endpoints.get(name)?.drain();
    return {};
  }
  endpoints.get(name)?.close();
  endpoints.delete(name);
  if (request.method === 'DELETE') return {};
  const endpoint = endpointBody.parse(JSON.parse(await text(request)));
  endpoints.set(name, await openEndpoint({ name, ...endpoint }));
  return {};
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function respond(response: ServerResponse, { status, answer }: { status: number; answer: unknown }): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
}
