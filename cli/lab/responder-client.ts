// Tells a lab's responder where to listen. The other side is responder.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { unixRequest } from '../../runtime/unix-request.ts';
import { responderSocket } from './daemons.ts';
import { endpointPort } from './endpoint-port.ts';
import { netnsPath } from './lab-plan.ts';
import type { LabState } from './lab-state.ts';

/** Milliseconds: an emulated machine is slow to answer while nodes start beside it. One that ended refuses at once. */
const timeoutMs = 60_000;

/**
 * Answers for the pod, the node or "outside" from now on, in the lab's families. `datagrams`: where from, if not from any address.
 * Throws Error when its port is taken there.
 */
export async function openEndpointOf(
  { name: lab, networks }: Pick<LabState, 'name' | 'networks'>,
  endpoint: { readonly name: string; readonly netns: string; readonly datagrams?: readonly string[] },
): Promise<void> {
  const { datagrams = networks.map(({ family }) => (family === 4 ? '0.0.0.0' : '::')) } = endpoint;
  await unixRequest({
    socketPath: responderSocket(lab),
    method: 'PUT',
    path: `/endpoints/${endpoint.name}`,
    body: { netns: netnsPath(endpoint.netns), port: endpointPort, datagrams },
    timeoutMs,
  });
}

/** Resolves when nobody comes to the endpoint any more. Nothing there is success. */
export async function drainEndpointOf(lab: string, name: string): Promise<void> {
  await unixRequest({
    socketPath: responderSocket(lab),
    method: 'POST',
    path: `/endpoints/${name}/drain`,
    body: {},
    timeoutMs,
  });
}

/** Nothing there is success. */
export async function closeEndpointOf(lab: string, name: string): Promise<void> {
  await unixRequest({
    socketPath: responderSocket(lab),
    method: 'DELETE',
    path: `/endpoints/${name}`,
    timeoutMs,
  });
}

/** Resolves when the EndpointSlices of the lab's services are as its pods are now. */
export async function syncEndpoints(lab: string): Promise<void> {
  await unixRequest({ socketPath: responderSocket(lab), method: 'POST', path: '/sync', body: {}, timeoutMs });
}

/** Resolves when the responder answers. Throws Error when its process ended or `timeout` milliseconds are over. */
export async function awaitResponder(
  lab: string,
  options: { readonly timeout: number; readonly alive: () => boolean; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + options.timeout;
  for (;;) {
    try {
      await unixRequest({ socketPath: responderSocket(lab), path: '/endpoints', signal: options.signal });
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!options.alive()) throw new Error('it ended');
      if (performance.now() > deadline) throw error;
    }
    await sleep(10, undefined, { signal: options.signal });
  }
}
