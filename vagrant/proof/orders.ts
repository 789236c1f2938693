// What the proof asks of the worker in a machine and what is answered: JSON, a line each, over the standard input and output of an ssh
// session. Both sides are of one checkout, so there are no versions.
import { z } from 'zod';
import { IpAddress } from '../../net/address.ts';

const address = z.string().transform((text) => IpAddress.parse(text));
const endpoint = z.object({ name: z.string(), netns: z.string(), address, node: z.string().optional() });
const target = { netns: z.string(), to: address, port: z.number(), timeout: z.number() };
const source = z.object({ kind: z.enum(['tcp', 'udp']), saw: address });

const what = z.union([
  z.object({
    kind: z.enum(['icmp', 'full-mtu', 'over-mtu', 'tcp-unanswered', 'icmp-unanswered']),
  }),
  source,
  z.object({ kind: z.literal('transfer'), bytes: z.number() }),
]);

const order = z.discriminatedUnion('kind', [
  /** Makes a neighbour on the private network, beside the machine: who plays the internet for the other machines. */
  z.object({
    kind: z.literal('make-outside'),
    address: z.string(),
    beside: z.string(),
    route: z.string(),
    via: z.string(),
  }),
  z.object({ kind: z.literal('answer-for'), name: z.string(), netns: z.string() }),
  z.object({ kind: z.literal('run-pod'), name: z.string() }),
  z.object({ kind: z.literal('remove-pod'), name: z.string() }),
  z.object({
    kind: z.literal('probe'),
    probe: z.object({ from: endpoint, to: endpoint, what }),
    timeout: z.number(),
  }),
  z.object({ kind: z.literal('ask'), udp: z.boolean(), ...target }),
  z.object({ kind: z.literal('open-flow'), flow: z.number(), ...target }),
  z.object({ kind: z.literal('ask-flow'), flow: z.number() }),
  z.object({ kind: z.literal('close-flow'), flow: z.number() }),
  z.object({ kind: z.literal('get'), url: z.url(), timeout: z.number() }),
  z.object({ kind: z.literal('status') }),
]);

export type Order = z.infer<typeof order>;
/** As it is written: addresses are text. */
export type OrderText = z.input<typeof order>;

const message = z.object({ id: z.number(), order });
const answer = z.object({ id: z.number(), result: z.unknown().optional(), error: z.string().optional() });

export type Answer = z.infer<typeof answer>;

export function parseOrder(line: string): { readonly id: number; readonly order: Order } {
  return message.parse(JSON.parse(line));
}

export function parseAnswer(line: string): Answer {
  return answer.parse(JSON.parse(line));
}

export const nothing = z.object({});
export const outsideAnswer = z.object({ netns: z.string() });
export const podAnswer = z.object({ netns: z.string(), address: z.string() });
export const sightedAnswer = z.object({ name: z.string(), saw: z.string() });
export const probeAnswer = z.object({ seen: z.string().optional() });
export const flowAnswer = z.object({ name: z.string() });
export const pageAnswer = z.object({ status: z.number(), body: z.string() });
export const statusAnswer = z.object({
  node: z.string(),
  /** On the private network; null without a lease. */
  address: z.string().nullable(),
  agent: z.object({ ready: z.boolean(), blockers: z.array(z.string()), peers: z.number() }),
  proxy: z.object({ ready: z.boolean(), blockers: z.array(z.string()) }),
});
