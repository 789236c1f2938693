// Runs one probe of a check and says what was seen where something else was expected.

import { type EchoAnswer, type EchoOptions, icmpEcho } from '../../kernel/icmp-echo.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { Poller } from '../../kernel/poller.ts';
import type { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { Probe } from './check-plan.ts';
import { endpointPort } from './endpoint-port.ts';
import { probeTcp, probeTransfer, probeUdp, type Sighted } from './probes.ts';

export interface ProbeSurroundings {
  readonly poller: Poller;
  readonly netnsOf: (name: string) => Netns;
  /** MTU of the sender's link. */
  readonly mtuOf: (netns: string) => number;
  /** What a transfer sends. */
  readonly payload: Buffer;
  /** Milliseconds for one probe. */
  readonly timeout: number;
}

/** Silence is proven by waiting: shorter than a lost answer is waited for. */
const silenceTime = 500;
/** Questions in the time of one probe. */
const echoes = 3;

/** Undefined when all is as it must be, else what was seen instead. Never throws but for programmers' mistakes. */
export async function runProbe(probe: Probe, around: ProbeSurroundings): Promise<string | undefined> {
  const { from, to, what } = probe;
  const { timeout } = around;
  const options = { from: around.netnsOf(from.netns), to: to.address, port: endpointPort, timeout };
  const echo = { poller: around.poller, netns: options.from, timeout } as const;
  try {
    switch (what.kind) {
      case 'icmp':
        return wantReply(await insistentEcho(to.address, echo));
      case 'full-mtu': {
        const size = around.mtuOf(from.netns);
        const seen = wantReply(await insistentEcho(to.address, { ...echo, size, fragment: 'refuse' }));
        return seen === undefined ? undefined : `${size} bytes: ${seen}`;
      }
      case 'over-mtu': {
        const size = around.mtuOf(from.netns) + 1;
        const seen = await icmpEcho(to.address, { ...echo, size, fragment: 'refuse' });
        if (seen.kind === 'refused' && seen.code === 'EMSGSIZE') return undefined;
        return `${size} bytes: ${describe(seen)}, expected EMSGSIZE`;
      }
      case 'tcp':
        return wantSighting(await probeTcp(options), { to: to.name, saw: what.saw });
      case 'udp':
        return wantSighting(await probeUdp(options), { to: to.name, saw: what.saw });
      case 'transfer': {
        const bytes = around.payload.subarray(0, what.bytes);
        const back = await probeTransfer({ ...options, bytes });
        return back.equals(bytes)
          ? undefined
          : `${back.length} bytes came back, of ${bytes.length}, or other ones`;
      }
      case 'tcp-unanswered':
        return await unansweredTcp({ ...options, timeout: silenceTime });
      case 'icmp-unanswered': {
        const seen = await icmpEcho(to.address, { ...echo, timeout: silenceTime });
        return seen.kind === 'reply' ? `${describe(seen)}, expected none` : undefined;
      }
      default:
        return what satisfies never;
    }
  } catch (error) {
    return errorMessage(error);
  }
}

/** Asks again when nothing comes: a wire may lose a packet, and TCP would not mind. */
async function insistentEcho(target: IpAddress, options: EchoOptions): Promise<EchoAnswer> {
  let answer: EchoAnswer = { kind: 'silence' };
  for (let left = echoes; left > 0 && answer.kind === 'silence'; left -= 1)
    answer = await icmpEcho(target, { ...options, timeout: options.timeout / echoes });
  return answer;
}

async function unansweredTcp(options: Parameters<typeof probeTcp>[0]): Promise<string | undefined> {
  const answer = await probeTcp(options).catch(() => undefined);
  return answer === undefined ? undefined : `"${answer.name}" answered, expected nobody`;
}

function wantReply(answer: EchoAnswer): string | undefined {
  return answer.kind === 'reply' ? undefined : describe(answer);
}

function wantSighting(
  answer: Sighted,
  expected: { readonly to: string; readonly saw: IpAddress },
): string | undefined {
  if (answer.name !== expected.to) return `"${answer.name}" answered, expected "${expected.to}"`;
  if (answer.saw !== expected.saw.toString()) return `it saw ${answer.saw}, expected ${expected.saw}`;
  return undefined;
}

function describe(answer: EchoAnswer): string {
  switch (answer.kind) {
    case 'reply':
      return `a reply from ${answer.from}`;
    case 'refused':
      return `refused with ${answer.code}`;
    case 'unreachable':
      return `${answer.from} says ${answer.reason}`;
    case 'silence':
      return 'no answer';
    default:
      return answer satisfies never;
  }
}
