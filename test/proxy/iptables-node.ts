// A client, a node that forwards, and a pod in a row, with long TCP connections through the node: for tests of rules that change under them.
// Nothing of the proxy is in it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { execute } from '../../kernel/exec.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

export interface IptablesNode extends AsyncDisposable {
  readonly node: TestNetns;
  /** What the program prints in the node's namespace. */
  run(...command: readonly [string, ...string[]]): Promise<string>;
  load(program: string, text: string): Promise<void>;
  /** A connection from the client that stays open. */
  open(to: string, port: number): Connection;
}

export interface Connection {
  /** Sends a line; resolves with what comes back, '' when nothing does. */
  echo(text: string): Promise<string>;
}

const links = `
node link add c0 type veth peer name eth0 netns CLIENT
node link add p0 type veth peer name eth0 netns POD
node addr add 192.168.0.2/24 dev c0
node addr add 10.180.0.254/24 dev p0
node link set lo up
node link set c0 up
node link set p0 up
client addr add 192.168.0.9/24 dev eth0
client link set eth0 up
client route add default via 192.168.0.2
pod addr add 10.180.0.1/24 dev eth0
pod link set eth0 up
pod route add default via 10.180.0.254
`;

/** The pod is 10.180.0.1 and sends back what it gets on port 80; the client is 192.168.0.9. */
export async function iptablesNode(): Promise<IptablesNode> {
  const places = { node: testNetns(), client: testNetns(), pod: testNetns() };
  for (const line of links.trim().split('\n')) {
    const [place = '', ...args] = line
      .replace('CLIENT', places.client.name)
      .replace('POD', places.pod.name)
      .split(' ');
    const namespace = { node: places.node, client: places.client, pod: places.pod }[place];
    await execute(['ip', ...args], { netns: namespace?.netns });
  }
  writeSysctl('net/ipv4/ip_forward', '1', { netns: places.node.netns });
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  // Without an address it listens before this returns, so inside the namespace.
  places.pod.netns.run(() => {
    server.listen(80);
  });
  const children: ChildProcess[] = [];
  return {
    node: places.node,
    run: async (...command) => (await execute(command, { netns: places.node.netns })).stdout,
    async load(program, text) {
      await execute([program, '--noflush'], { netns: places.node.netns, input: text });
    },
    open(to, port) {
      const script = `exec 3<>/dev/tcp/${to}/${port} || exit; while read -r line; do echo "$line" >&3; read -t 2 -r back <&3; echo "$back"; back=; done`;
      const child = spawn(
        'nsenter',
        [`--net=/run/netns/${places.client.name}`, 'timeout', '60', 'bash', '-c', script],
        {
          stdio: ['pipe', 'pipe', 'ignore'],
        },
      );
      children.push(child);
      child.stdin.on('error', () => undefined);
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      return {
        async echo(text) {
          child.stdin.write(`${text}\n`);
          const next = await lines.next();
          return next.done === true ? '' : next.value;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill();
      server.close();
      // The client's end goes with its namespace: nobody says goodbye.
      for (const socket of sockets) socket.destroy();
      for (const place of Object.values(places)) place[Symbol.dispose]();
    },
  };
}
