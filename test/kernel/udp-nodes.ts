// A client, a node and a pod in a row, for tests with real UDP flows: the node routes and tracks. No bridge, no agent.
import { execFileSync } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { datagramSocket } from '../../cli/lab/datagram-socket.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

export const clientAddress = '192.0.2.9';
export const nodeAddress = '192.0.2.1';
export const podAddress = '10.1.0.2';

export interface UdpNodes extends Disposable {
  readonly client: TestNetns;
  readonly node: TestNetns;
  readonly pod: TestNetns;
  /** Loads rules into the node. */
  nft(text: string): void;
  /** The node's flows as /proc/net/nf_conntrack has them, without protocol numbers, states, timeouts and use counts. */
  procFlows(): readonly string[];
  /** Waits until the node has the client's packet, which may be some time after it was sent. */
  tracked(clientPort: number): Promise<void>;
  /** Opens a UDP socket; it closes with this. */
  socket(place: TestNetns, bound: { readonly address: string; readonly port: number }): UdpEnd;
}

export interface UdpEnd {
  /** What came, in order. */
  readonly received: readonly string[];
  send(text: string, to: { readonly address: string; readonly port: number }): Promise<void>;
  /** Waits until this text came. */
  until(text: string): Promise<void>;
}

/** The chain "ports" is empty: published ports go there. "track" makes the node track flows whatever "ports" holds. */
const tables = `table ip test {
  chain ports { type nat hook prerouting priority dstnat; }
  chain track { type filter hook forward priority filter; ct state new counter; }
}`;

export function udpNodes(): UdpNodes {
  const [client, node, pod] = [testNetns(), testNetns(), testNetns()];
  const sockets: Socket[] = [];
  apply(node.netns, [
    pair('c0', client.netns),
    pair('p0', pod.netns),
    address('c0', `${nodeAddress}/24`),
    address('p0', '10.1.0.1/24'),
    linkUp('lo'),
  ]);
  writeSysctl('net/ipv4/ip_forward', '1', { netns: node.netns });
  apply(client.netns, [linkUp('eth0'), address('eth0', `${clientAddress}/24`), defaultRoute(nodeAddress)]);
  apply(pod.netns, [linkUp('eth0'), address('eth0', `${podAddress}/24`), defaultRoute('10.1.0.1')]);
  const nft = (text: string): void => {
    execFileSync('nsenter', [`--net=${node.netns.path}`, 'nft', '-f', '-'], { input: text });
  };
  nft(tables);
  const procFlows = () =>
    node.netns
      .run(() => readFileSync('/proc/thread-self/net/nf_conntrack', 'latin1'))
      .split('\n')
      .filter((line) => line !== '')
      .map(flowOfProc);
  return {
    client,
    node,
    pod,
    nft,
    procFlows,
    async tracked(clientPort) {
      while (!procFlows().some((flow) => flow.includes(` sport=${clientPort} `))) await setTimeout(5);
    },
    socket(place, { address: own, port }) {
      const socket = place.netns.run(() => {
        const made = datagramSocket();
        made.bind(port, own);
        return made;
      });
      sockets.push(socket);
      return udpEnd(socket);
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.close();
      for (const place of [client, node, pod]) place[Symbol.dispose]();
    },
  };
}

function udpEnd(socket: Socket): UdpEnd {
  const received: string[] = [];
  socket.on('message', (data) => {
    received.push(data.toString());
    socket.emit('netloom-received');
  });
  // The node refuses what nobody listens to.
  socket.on('error', () => undefined);
  return {
    received,
    send: (text, { address: to, port }) =>
      new Promise((resolve, reject) => {
        socket.send(text, port, to, (error) => (error === null ? resolve() : reject(error)));
      }),
    async until(text) {
      while (!received.includes(text)) await once(socket, 'netloom-received');
    },
  };
}

function flowOfProc(line: string): string {
  const [, , protocol, , , ...rest] = line.split(/\s+/);
  const parts = rest.filter((word) => /^(src|dst|sport|dport|type|code|id)=/.test(word));
  return [protocol, ...parts.map(shortened)].join(' ');
}

/** /proc writes out all zeros of an IPv6 address. */
function shortened(part: string): string {
  const [name, value = ''] = part.split('=');
  return `${name}=${IpAddress.tryParse(value) ?? value}`;
}

function apply(netns: Netns, steps: readonly RouteStep[]): void {
  const driver = openRouteDriver({ netns });
  try {
    for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
  } finally {
    driver.close();
  }
}

function pair(name: string, netns: Netns): RouteStep {
  return {
    kind: 'link-add',
    link: { name, detail: { kind: 'veth', peer: { name: 'eth0', netns } }, up: true },
  };
}

function linkUp(name: string): RouteStep {
  const bare = { name, detail: { kind: 'veth' } } as const;
  return { kind: 'link-set', link: { ...bare, up: true }, was: bare };
}

function address(link: string, text: string): RouteStep {
  return { kind: 'address-add', address: { link, prefix: Prefix.parse(text) } };
}

function defaultRoute(gateway: string): RouteStep {
  return {
    kind: 'route-set',
    route: {
      destination: Prefix.parse('0.0.0.0/0'),
      table: 254,
      priority: 0,
      protocol: 4,
      type: 'unicast',
      hops: [{ gateway: Prefix.parse(`${gateway}/32`).address, link: 'eth0' }],
    },
  };
}
