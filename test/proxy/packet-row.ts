// One row of the packet table, as text and as a value: where a packet comes from, where it is sent, and all that may become of it. Not
// how a packet is sent: walk-packet.ts (fakes), real-node.ts (kernel).
//
//   pod 10.180.0.5 tcp 172.30.0.41:80 -> 10.180.0.1:8080, 10.180.1.1:8080
//   outside 203.0.113.2 udp 192.168.0.2:30053 -> 10.180.0.1:5353 masq
//   node 192.168.0.2 tcp 172.30.0.41:81 -> REJECT [nftables ipvs]

import { IpAddress } from '../../net/address.ts';
import { type Transport, transports } from '../../net/transport.ts';
import { type ProxyModeName, proxyModes } from '../../proxy/proxy-mode.ts';

/** `pod`: one of this node's. `remote`: another node's. `node`: the node itself. */
export const origins = ['pod', 'remote', 'node', 'outside'] as const;
export type Origin = (typeof origins)[number];

/** What connection tracking says of the packet; `new` unless the row has the word. */
export const flowStates = ['new', 'established', 'invalid'] as const;
export type FlowState = (typeof flowStates)[number];

export interface TestPacket {
  readonly from: Origin;
  readonly source: IpAddress;
  /** The link that it comes in by, where that is not the usual one of its origin. */
  readonly link: string | undefined;
  readonly protocol: Transport;
  readonly destination: IpAddress;
  readonly port: number;
  readonly flow: FlowState;
}

export interface PacketRow {
  readonly text: string;
  readonly packet: TestPacket;
  /**
   * Everything that may become of it, sorted: "ADDRESS:PORT" of an endpoint, with " masq" where the endpoint sees the node instead of
   * the sender; "REJECT", "DROP"; "none": nobody rewrites it. Several are equally likely.
   */
  readonly outcomes: readonly string[];
  /** The modes that it is about, where modes differ by design. */
  readonly only: readonly ProxyModeName[] | undefined;
}

const form = /^(\w+) (\S+)(?: via (\S+))? (\w+) (\S+):(\d+)(?: (\w+))? -> (.+?)(?: \[(\w+(?: \w+)*)\])?$/;
const endpointForm = /^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+( masq)?$/;

/** Rows of a text, one a line; empty lines and what follows "#" are for the reader. */
export function parseRows(text: string): readonly PacketRow[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map(parseRow);
}

export function parseRow(text: string): PacketRow {
  const [, from, source = '', link, protocol, destination = '', port, flow = 'new', outcomes = '', only] =
    form.exec(text) ?? [];
  const fail = (what: string): never => {
    throw new SyntaxError(`Cannot read row "${text}": ${what}`);
  };
  const packet = {
    from: oneOf(origins, from) ?? fail('want pod, remote, node or outside first'),
    source: IpAddress.parse(source),
    link,
    protocol: oneOf(transports, protocol) ?? fail('want tcp, udp or sctp'),
    destination: IpAddress.parse(destination.replace(/^\[|\]$/g, '')),
    port: Number(port),
    flow: oneOf(flowStates, flow) ?? fail(`no such flow state as "${flow}"`),
  };
  if (packet.source.family !== packet.destination.family) fail('families differ');
  return {
    text,
    packet,
    outcomes: parseOutcomes(outcomes) ?? fail(`no such outcome as "${outcomes}"`),
    only: only?.split(' ').map((name) => oneOf(proxyModes, name) ?? fail(`no such mode as "${name}"`)),
  };
}

function parseOutcomes(text: string): readonly string[] | undefined {
  if (['REJECT', 'DROP', 'none'].includes(text)) return [text];
  const outcomes = text.split(', ');
  return outcomes.every((one) => endpointForm.test(one)) ? outcomes.sort() : undefined;
}

function oneOf<T extends string>(names: readonly T[], name: string | undefined): T | undefined {
  return names.find((one) => one === name);
}

/** "10.180.0.1:8080", "[fd00::1]:8080". */
export function endpointText(address: IpAddress, port: number): string {
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
