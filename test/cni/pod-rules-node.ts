// A node, two pods on its bridge and a machine outside, as namespaces, with servers that tell whom they see: for tests of the rules
// of pods. Nobody wires or leases here.
import { createServer, type Server } from 'node:net';
import { execute } from '../../kernel/exec.ts';
import type { Netns } from '../../kernel/netns.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

export const addresses = {
  node: '192.0.2.1',
  /** A second one of the node. */
  alias: '198.51.100.1',
  node6: '2001:db8::1',
  gateway: '10.244.1.1',
  gateway6: 'fd00:244:1::1',
  outside: '192.0.2.9',
  outside6: '2001:db8::9',
  /** Behind the machine outside. */
  stranger: '203.0.113.9',
  web: '10.244.1.5',
  web6: 'fd00:244:1::5',
  peer: '10.244.1.6',
  peer6: 'fd00:244:1::6',
} as const;

export type Place = 'node' | 'web' | 'peer' | 'outside';

export interface PodRulesNode extends AsyncDisposable {
  readonly netns: Readonly<Record<Place, Netns>>;
  run(place: Place, ...command: readonly [string, ...string[]]): Promise<string>;
  /** Answers every TCP connection with "NAME SOURCE". */
  serve(place: Place, options: { readonly port: number; readonly name: string }): void;
  /** What the server answers; '' when there is none. */
  connect(place: Place, options: { readonly to: string; readonly port: number }): Promise<string>;
}

const links = `
node link add cni0 type bridge
node link set cni0 up
node addr add ${addresses.gateway}/24 dev cni0
node addr add ${addresses.gateway6}/64 dev cni0 nodad
node link add eth0 type veth peer name eth0 netns OUTSIDE
node addr add ${addresses.node}/24 dev eth0
node addr add ${addresses.alias}/32 dev eth0
node addr add ${addresses.node6}/64 dev eth0 nodad
node link set eth0 up
outside link set lo up
outside addr add ${addresses.outside}/24 dev eth0
outside addr add ${addresses.stranger}/32 dev lo
outside addr add ${addresses.outside6}/64 dev eth0 nodad
outside link set eth0 up
outside route add default via ${addresses.node}
outside -6 route add default via ${addresses.node6}
node route add 203.0.113.0/24 via ${addresses.outside}
node link set lo up
`;

const podLinks = (pod: 'web' | 'peer') => `
node link add veth-${pod} type veth peer name eth0 netns ${pod.toUpperCase()}
node link set veth-${pod} master cni0 up
node link set veth-${pod} type bridge_slave hairpin on
${pod} link set lo up
${pod} addr add ${addresses[pod]}/24 dev eth0
${pod} addr add ${addresses[`${pod}6`]}/64 dev eth0 nodad
${pod} link set eth0 up
${pod} route add default via ${addresses.gateway}
${pod} -6 route add default via ${addresses.gateway6}
`;

export async function makePodRulesNode(): Promise<PodRulesNode> {
  const made: Readonly<Record<Place, TestNetns>> = {
    node: testNetns(),
    web: testNetns(),
    peer: testNetns(),
    outside: testNetns(),
  };
  const { node, web, peer, outside } = made;
  const servers: Server[] = [];
  const run: PodRulesNode['run'] = async (place, ...command) =>
    (await execute(command, { netns: made[place].netns })).stdout;
  // The default of new links too: no waiting for duplicate address detection of the link-local ones.
  writeSysctl('net/ipv6/conf/all/forwarding', '1', { netns: node.netns });
  writeSysctl('net/ipv4/ip_forward', '1', { netns: node.netns });
  for (const { netns } of Object.values(made))
    writeSysctl('net/ipv6/conf/default/accept_dad', '0', { netns });
  for (const line of [links, podLinks('web'), podLinks('peer')].join('').trim().split('\n')) {
    const [place, ...args] = line.split(' ').filter((word) => word !== '');
    if (place !== 'node' && place !== 'web' && place !== 'peer' && place !== 'outside') continue;
    const names = args.map((arg) => ({ OUTSIDE: outside.name, WEB: web.name, PEER: peer.name })[arg] ?? arg);
    await run(place, 'ip', ...names);
  }
  return {
    netns: { node: node.netns, web: web.netns, peer: peer.netns, outside: outside.netns },
    run,
    serve(place, { port, name }) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.end(`${name} ${(socket.remoteAddress ?? '').replace('::ffff:', '')}\n`);
      });
      // Without an address it listens before this returns, so inside the namespace.
      made[place].netns.run(() => {
        server.listen(port);
      });
      servers.push(server);
    },
    async connect(place, { to, port }) {
      const { stdout } = await execute(
        ['timeout', '1', 'bash', '-c', 'exec 3<>"/dev/tcp/$0/$1" && head -n1 <&3', to, String(port)],
        { netns: made[place].netns, okCodes: [0, 1, 124] },
      );
      return stdout.trim();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      for (const one of Object.values(made)) one[Symbol.dispose]();
    },
  };
}
