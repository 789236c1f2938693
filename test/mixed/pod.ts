// A pod as flannel's plugin makes it, with the reference bridge behind: a namespace, a veth pair into the node's bridge, a file of
// host-local. And the processes in it, whose packets are counted (pod-program.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { run, type TestNode, until } from '../agent/cluster.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

const program = fileURLToPath(new URL('pod-program.ts', import.meta.url));

export interface Pod extends Disposable {
  readonly address: string;
  readonly place: TestNetns;
  /** The host's end of its veth pair. */
  readonly link: string;
}

let made = 0;

/** The bridge as the reference plugin makes it for the first pod of a node: its MAC is fixed by being set to what it is. */
function ensureBridge(
  node: string,
  { gateway, mtu }: { readonly gateway: string; readonly mtu: number },
): void {
  if (run(`ip -n ${node} link show cni0`, { quiet: true }) !== '') return;
  run(`ip -n ${node} link add cni0 mtu ${mtu} type bridge`);
  run(`ip -n ${node} address add ${gateway}/24 brd + dev cni0`);
  const [, mac = ''] = /link\/ether (\S+)/.exec(run(`ip -n ${node} link show cni0`)) ?? [];
  run(`ip -n ${node} link set cni0 address ${mac} up`);
  run(`ip netns exec ${node} sysctl -q -w net.ipv4.ip_forward=1`);
}

export interface PodOptions {
  readonly node: TestNode;
  /** "10.244.1.0/24". */
  readonly subnet: string;
  readonly mtu: number;
}

/** Its address is the second one of the node's subnet, or the next for each further pod. */
export function startPod({ node, subnet, mtu }: PodOptions): Pod {
  const base = subnet.replace(/\.0\/24$/, '');
  const ipam = join(node.directory, 'ipam', 'cbr0');
  mkdirSync(ipam, { recursive: true });
  let host = 2;
  while (existsSync(join(ipam, `${base}.${host}`))) host++;
  const address = `${base}.${host}`;
  writeFileSync(join(ipam, address), `pod-${host}\r\neth0`);
  const place = testNetns();
  const link = `veth${process.pid.toString(16)}x${++made}`;
  const on = node.place.name;
  ensureBridge(on, { gateway: `${base}.1`, mtu });
  run(`ip link add ${link} mtu ${mtu} netns ${on} type veth peer name eth0 mtu ${mtu} netns ${place.name}`);
  run(`ip -n ${on} link set ${link} master cni0 up`);
  run(`bridge -n ${on} link set dev ${link} hairpin on`);
  run(`ip -n ${place.name} link set lo up`);
  run(`ip -n ${place.name} address add ${address}/24 dev eth0`);
  run(`ip -n ${place.name} link set eth0 up`);
  run(`ip -n ${place.name} route add default via ${base}.1`);
  return { address, place, link, [Symbol.dispose]: () => place[Symbol.dispose]() };
}

/** What the program says at its end; which of it depends on its role. */
export interface Report {
  readonly sent: number;
  readonly received: number;
  readonly twice: number;
  /** Packets that arrived, but found its buffer full: this machine was slow, not the network. */
  readonly drops: number;
  readonly tcp: { readonly sent: number; readonly received: number; readonly problem: string };
  readonly sources: Readonly<Record<string, number>>;
}

/** One process of pod-program.ts. */
export class PodProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #said: (Report & { readonly event: string })[] = [];
  #errors = '';

  constructor(place: TestNetns, args: readonly string[]) {
    const own = [process.execPath, '--disable-warning=ExperimentalWarning', program, ...args];
    this.#child = spawn('nsenter', [`--net=${place.netns.path}`, '--', ...own], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {},
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('no pipes');
    // What our own program prints.
    createInterface({ input: stdout }).on('line', (line) => this.#said.push(JSON.parse(line)));
    stderr.on('data', (data: Buffer) => {
      this.#errors += data.toString();
    });
  }

  async flowing(): Promise<void> {
    await this.#hear('flowing');
  }

  /** No more is sent; what is under way arrives. */
  stop(): void {
    this.#child.stdin?.write('stop\n');
  }

  async report(): Promise<Report> {
    this.#said.splice(0);
    this.#child.stdin?.write('report\n');
    return await this.#hear('report');
  }

  async #hear(event: string): Promise<Report> {
    const find = () => this.#said.find((line) => line.event === event);
    await until(
      () => find() !== undefined || this.#child.exitCode !== null,
      () => `no "${event}" from a pod: ${this.#errors}`,
      20_000,
    );
    const found = find();
    if (found === undefined) throw new Error(`a pod's program ended: ${this.#errors}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
