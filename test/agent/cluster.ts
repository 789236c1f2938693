// A cluster for tests on the real kernel: nodes in namespaces, joined by a bridge in one more, with no way out. Each node's agent
// is a process in its namespace; what the kernel holds is read with `ip`, `bridge` and `nft`.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '../../agent/status.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

const netloom = fileURLToPath(new URL('../../scripts/netloom', import.meta.url));

/** Runs a program with words, or with `ip`'s own words; returns what it prints. */
export function run(command: string, options: { readonly quiet?: boolean } = {}): string {
  const [program = '', ...args] = command.split(' ');
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    if (options.quiet === true) return '';
    throw error;
  }
}

export interface TestNode {
  readonly name: string;
  readonly number: number;
  readonly place: TestNetns;
  readonly directory: string;
  readonly flags: readonly string[];
  readonly subnetFile: string;
  /** Its agent's process. */
  agent: ChildProcess | undefined;
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly config?: object;
  /** The executable of the agents; this checkout's unless given. */
  readonly program?: string;
  /** More flags of every agent, without their dashes. */
  readonly settings?: Readonly<Record<string, string>>;
}

export class TestCluster {
  readonly directory = mkdtempSync(join(tmpdir(), 'netloom-agent-'));
  readonly fabric = testNetns();
  readonly nodes: readonly TestNode[];
  readonly #netloom: string;

  constructor(options: ClusterOptions) {
    mkdirSync(this.store, { recursive: true });
    this.#netloom = options.program ?? netloom;
    this.writeConfig(options.config ?? { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } });
    run(`ip -n ${this.fabric.name} link add br0 type bridge`);
    run(`ip -n ${this.fabric.name} link set br0 up`);
    this.nodes = Array.from({ length: options.nodes }, (_, i) => this.#node(i + 1, options.settings ?? {}));
    for (const node of this.nodes) this.wire(node);
  }

  get store(): string {
    return join(this.directory, 'store');
  }

  writeConfig(config: object): void {
    writeFileSync(join(this.store, 'config'), JSON.stringify(config));
  }

  #node(number: number, more: Readonly<Record<string, string>>): TestNode {
    const name = `node-${number}`;
    const directory = join(this.directory, name);
    mkdirSync(directory);
    const subnetFile = join(directory, 'subnet.env');
    const flags = Object.entries({
      'node-name': name,
      'store-directory': this.store,
      'run-directory': join(directory, 'run'),
      'state-directory': join(directory, 'state'),
      'subnet-file': subnetFile,
      'ipam-directory': join(directory, 'ipam'),
      'cni-conf-directory': '',
      'log-format': 'json',
      iface: 'eth0',
      ...more,
    }).map(([flag, value]) => `--${flag}=${value}`);
    const place = testNetns();
    run(`ip -n ${place.name} link set lo up`);
    return { name, number, place, directory, flags, subnetFile, agent: undefined };
  }

  /** Gives the node an eth0 with 192.0.2.N/24 and 2001:db8::N/64 on the fabric; also after it was deleted. */
  wire({ place, number }: TestNode): void {
    run(`ip link add eth0 netns ${place.name} type veth peer name port${number} netns ${this.fabric.name}`);
    run(`ip -n ${this.fabric.name} link set port${number} master br0 up`);
    this.address(place.name, number);
    run(`ip -n ${place.name} link set eth0 up`);
  }

  address(netns: string, number: number): void {
    run(`ip -n ${netns} address replace 192.0.2.${number}/24 dev eth0`);
    run(`ip -n ${netns} address replace 2001:db8::${number}/64 dev eth0 nodad`);
  }

  /** `more` are further flags, `wrapper` is a command that the agent is run by. */
  start(node: TestNode, more: readonly string[] = [], wrapper: readonly string[] = []): void {
    const log = openSync(logPath(node), 'a');
    const program = ['nsenter', `--net=/run/netns/${node.place.name}`, ...wrapper, this.#netloom, 'agent'];
    const [command = '', ...args] = [...program, ...node.flags, ...more];
    node.agent = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(node: TestNode): Promise<number | null> {
    const { agent } = node;
    node.agent = undefined;
    if (agent === undefined || agent.exitCode !== null) return agent?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => agent.once('exit', (code) => resolve(code)));
    agent.kill('SIGTERM');
    return await ended;
  }

  /** Starts all agents and waits until each is ready and has programmed all others. */
  async up(): Promise<void> {
    for (const node of this.nodes) this.start(node);
    for (const node of this.nodes) await this.ready(node, this.nodes.length - 1);
  }

  async ready(node: TestNode, peers: number): Promise<void> {
    await untilStatus(
      node,
      (status) => status.ready && status.peers.filter(({ programmed }) => programmed).length === peers,
    );
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await this.stop(node);
    for (const { place } of this.nodes) place[Symbol.dispose]();
    this.fabric[Symbol.dispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function logPath({ directory }: TestNode): string {
  return join(directory, 'agent.log');
}

/** What the agent wrote, one JSON object a line. */
export function logOf(node: TestNode): string {
  return readFileSync(logPath(node), 'utf8');
}

/** As GET /status answers; undefined when nobody does. */
export async function statusOf(node: TestNode): Promise<AgentStatus | undefined> {
  try {
    const { body } = await unixRequest({
      socketPath: join(node.directory, 'run', 'netloom.sock'),
      path: '/status',
      timeoutMs: 2000,
    });
    // What the agent prints is what it declares.
    return body as AgentStatus;
  } catch {
    return undefined;
  }
}

/** Waits until the agent says what is hoped for; returns that. */
export async function untilStatus(
  node: TestNode,
  hoped: (status: AgentStatus) => boolean,
): Promise<AgentStatus> {
  let last: AgentStatus | undefined;
  await until(
    async () => {
      last = await statusOf(node);
      return last !== undefined && hoped(last);
    },
    () => `${node.name}: ${JSON.stringify(last, undefined, 1)}\n${logOf(node)}`,
  );
  if (last === undefined) throw new Error(`Cannot ask ${node.name}`);
  return last;
}

/** Milliseconds until the condition held. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  complaint: () => string,
  patience = 45_000,
): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > patience) throw new Error(`Gave up waiting: ${complaint()}`);
    await sleep(2);
  }
  return performance.now() - start;
}

/** The gateway address of a node's pods. */
export function gatewayOf(node: TestNode): string {
  return /FLANNEL_SUBNET=(.*)\//.exec(readFileSync(node.subnetFile, 'utf8'))?.[1] ?? '';
}

/** True when one packet from the node's pod gateway to the address is answered. */
export function ping(from: TestNode, address: string): boolean {
  const words = `ip netns exec ${from.place.name} ping -c 1 -W 1 -n -I ${gatewayOf(from)} ${address}`;
  return run(words, { quiet: true }).includes(' 0% packet loss');
}

interface IpLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly ifalias?: string;
  readonly link?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

/** All that a node's kernel and files hold of ours, as text: without numbers of links, which change when one is made anew. */
export function nodeState({ place, subnetFile }: TestNode): string {
  const { name } = place;
  // `ip -json` prints what iproute2 documents.
  const links = JSON.parse(run(`ip -n ${name} -d -json link show`)) as readonly IpLink[];
  const described = links
    .filter(({ linkinfo }) => linkinfo?.info_kind === 'vxlan' || linkinfo?.info_kind === 'bridge')
    .map(({ ifname, flags, mtu, address, ifalias, link, linkinfo }) => {
      const { id, local, local6, port, learning } = linkinfo?.info_data ?? {};
      return JSON.stringify({
        ifname,
        up: flags.includes('UP'),
        mtu,
        address,
        ifalias,
        link,
        id,
        local,
        local6,
        port,
        learning,
      });
    })
    .sort();
  const devices = links
    .map(({ ifname }) => ifname)
    .filter((one) => /^flannel|^cni0$/.test(one))
    .sort();
  const lines = (text: string): string[] =>
    text
      .split('\n')
      .map((line) => line.replace(/ (linkdown|pref medium|dadfailed|tentative)/g, '').trim())
      .filter((line) => line !== '')
      .sort();
  return [
    ...described,
    ...devices.flatMap((one) =>
      lines(run(`ip -n ${name} -o address show dev ${one} scope global`)).map((line) =>
        line.replace(/^\d+: /, '').replace(/ valid_lft.*/, ''),
      ),
    ),
    ...lines(run(`ip -n ${name} route show proto 78`)),
    ...lines(run(`ip -n ${name} -6 route show proto 78`)),
    ...devices.flatMap((one) => [
      ...lines(run(`ip -n ${name} neigh show dev ${one} nud permanent`)).map((line) => `${one} ${line}`),
      ...(one === 'cni0'
        ? []
        : lines(run(`bridge -n ${name} fdb show dev ${one}`)).map((line) => `${one} ${line}`)),
    ]),
    run(`ip netns exec ${name} nft list ruleset`).replace(/counter packets \d+ bytes \d+/g, 'counter'),
    ...['net/ipv4/ip_forward', ...devices.map((one) => `net/ipv6/conf/${one}/accept_ra`)].map(
      (key) => `${key} = ${run(`ip netns exec ${name} cat /proc/sys/${key}`).trim()}`,
    ),
    existsSync(subnetFile) ? readFileSync(subnetFile, 'utf8') : 'no subnet.env',
  ].join('\n');
}
