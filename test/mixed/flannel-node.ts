// A node that flannel runs, for machines without flanneld: the same records and kernel objects, in the same order, made with `ip`,
// `bridge`, iptables and nft. It follows the leases of the others by looking at them ten times a second. Like flanneld it repairs
// nothing, and leaves all as it is when it ends.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { run, type TestNode } from '../agent/cluster.ts';
import { flannelIptables, flannelNftables } from './flannel-rules-text.ts';
import { type FlannelAttributes, type FlannelStore, vxlanData } from './flannel-store.ts';

const execute = promisify(execFile);

export const network = '10.244.0.0/16';
const device = 'flannel.1';

export type FlannelRulesForm = 'iptables' | 'iptables-legacy' | 'nftables';

export interface FlannelNodeOptions {
  readonly node: TestNode;
  readonly backend: 'vxlan' | 'host-gw';
  readonly rules: FlannelRulesForm;
  readonly openStore: () => FlannelStore;
}

/** flanneld, or what stands in for it, on one node. */
export interface FlannelNode {
  /** "10.244.2.0/24", once it runs. */
  readonly subnet: string;
  readonly mtu: number;
  /** Resolves when subnet.env is written and its rules stand. */
  start(): Promise<void>;
  /** What it made stays. */
  stop(): Promise<void>;
}

export class FlannelDriver implements FlannelNode {
  readonly #options: FlannelNodeOptions;
  #following: Promise<void> | undefined;
  #abort = new AbortController();
  #store: FlannelStore | undefined;
  subnet = '';

  constructor(options: FlannelNodeOptions) {
    this.#options = options;
  }

  get mtu(): number {
    return this.#options.backend === 'vxlan' ? 1450 : 1500;
  }

  get #name(): string {
    return this.#options.node.place.name;
  }

  get #publicIp(): string {
    return `192.0.2.${this.#options.node.number}`;
  }

  async start(): Promise<void> {
    const { node, openStore, backend } = this.#options;
    this.#abort = new AbortController();
    const store = openStore();
    this.#store = store;
    const data = backend === 'vxlan' ? vxlanData(await this.#ensureDevice()) : undefined;
    const previous = existsSync(node.subnetFile) ? readFileSync(node.subnetFile, 'utf8') : '';
    const [, before] = /FLANNEL_SUBNET=(\S+)/.exec(previous) ?? [];
    this.subnet = await store.acquire(
      { publicIp: this.#publicIp, backendType: backend, backendData: data },
      before?.replace(/\.1\/24$/, '.0/24'),
    );
    if (backend === 'vxlan') await this.#configureDevice();
    await this.#makeRules();
    this.#writeSubnetEnv();
    this.#following = this.#follow(store, this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#following;
    this.#store?.close();
  }

  /** What somebody runs in the node's namespace. */
  async #in(program: string, args: readonly string[], input = ''): Promise<string> {
    const running = execute('ip', ['netns', 'exec', this.#name, program, ...args]);
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  /** Made unless it is there and fits; returns its MAC. */
  async #ensureDevice(): Promise<string> {
    const there = run(`ip -n ${this.#name} -d link show ${device}`, { quiet: true });
    const fits = there.includes('vxlan id 1 ') && there.includes(`local ${this.#publicIp} dev eth0`);
    if (there !== '' && !fits) run(`ip -n ${this.#name} link delete ${device}`);
    if (there === '' || !fits) {
      const bytes = randomBytes(6);
      // Unicast, locally administered.
      bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 2;
      const mac = bytes.toString('hex').replace(/..(?=.)/g, '$&:');
      // Without a port, as flannel sends it: the kernel's own is 8472.
      run(
        `ip -n ${this.#name} link add ${device} address ${mac} mtu 1450 type vxlan id 1 local ${this.#publicIp} dev eth0 nolearning`,
        { quiet: true },
      );
      await this.#in('sysctl', ['-q', '-w', `net/ipv6/conf/${device}/accept_ra=0`]);
    }
    return /link\/ether (\S+)/.exec(run(`ip -n ${this.#name} link show ${device}`))?.[1] ?? '';
  }

  async #configureDevice(): Promise<void> {
    const own = this.subnet.replace('/24', '/32');
    const shown = run(`ip -n ${this.#name} -o -4 address show dev ${device}`);
    const there = [...shown.matchAll(/inet (\S+)/g)].map(([, address = '']) => address);
    for (const address of there)
      if (address !== own && address.startsWith('10.244.'))
        run(`ip -n ${this.#name} address delete ${address} dev ${device}`);
    if (!there.includes(own)) run(`ip -n ${this.#name} address add ${own} dev ${device}`);
    run(`ip -n ${this.#name} link set ${device} up`);
  }

  async #makeRules(): Promise<void> {
    const { rules } = this.#options;
    const place = { network, subnet: this.subnet };
    if (rules === 'nftables') {
      await this.#in('nft', ['-f', '-'], flannelNftables(place));
      return;
    }
    const program = rules === 'iptables' ? 'iptables-nft' : 'iptables-legacy';
    const wanted = flannelIptables(place);
    for (const [table, chain, from] of [
      ['nat', 'FLANNEL-POSTRTG', 'POSTROUTING'],
      ['filter', 'FLANNEL-FWD', 'FORWARD'],
    ] as const) {
      // ClearChain: makes it, or empties it.
      await this.#in(program, ['-w', '-t', table, '-N', chain]).catch(() =>
        this.#in(program, ['-w', '-t', table, '-F', chain]),
      );
      // What is there already is taken out in the same transaction: here that can only be the jump.
      const jump = wanted.split('\n').find((line) => line.startsWith(`-A ${from} `)) ?? '';
      const saved = await this.#in(program, ['-w', '-t', table, '-S', from]);
      const again = saved.includes(jump) ? [jump.replace('-A ', '-D ')] : [];
      const [, body = ''] = wanted.split(`*${table}\n`);
      const text = `*${table}\n${[...again, body.slice(0, body.indexOf('COMMIT'))].join('\n')}COMMIT\n`;
      await this.#in(`${program}-restore`, ['--noflush', '--wait'], text);
    }
  }

  #writeSubnetEnv(): void {
    const { subnetFile } = this.#options.node;
    mkdirSync(dirname(subnetFile), { recursive: true });
    const gateway = this.subnet.replace('.0/24', '.1/24');
    writeFileSync(
      `${subnetFile}.new`,
      `FLANNEL_NETWORK=${network}\nFLANNEL_SUBNET=${gateway}\nFLANNEL_MTU=${this.mtu}\nFLANNEL_IPMASQ=true\n`,
    );
    renameSync(`${subnetFile}.new`, subnetFile);
  }

  /** Like flannel it only acts on what is another than before, and takes away only what it has seen going. */
  async #follow(store: FlannelStore, signal: AbortSignal): Promise<void> {
    const known = new Map<string, FlannelAttributes>();
    while (!signal.aborted) {
      const now = await store.leases().catch(() => undefined);
      if (now !== undefined && !signal.aborted) {
        for (const [subnet, attributes] of known) {
          if (now.has(subnet)) continue;
          known.delete(subnet);
          this.#removed(subnet, attributes);
        }
        for (const [subnet, attributes] of now) {
          if (subnet === this.subnet || attributes.backendType !== this.#options.backend) continue;
          if (JSON.stringify(known.get(subnet)) === JSON.stringify(attributes)) continue;
          known.set(subnet, attributes);
          this.#added(subnet, attributes);
        }
      }
      await delay(100, undefined, { signal }).catch(() => undefined);
    }
  }

  #added(subnet: string, { publicIp, backendData = '{}' }: FlannelAttributes): void {
    const first = subnet.replace('/24', '');
    if (this.#options.backend === 'host-gw') {
      const there = run(`ip -n ${this.#name} -4 route show ${subnet}`);
      const isRight = there.includes(`via ${publicIp} dev eth0`);
      if (there !== '' && !isRight) run(`ip -n ${this.#name} route delete ${subnet}`);
      if (!isRight) run(`ip -n ${this.#name} route add ${subnet} via ${publicIp} dev eth0`);
      return;
    }
    const { VtepMAC: mac } = JSON.parse(backendData);
    run(`ip -n ${this.#name} neigh replace ${first} dev ${device} lladdr ${mac} nud permanent`);
    run(`bridge -n ${this.#name} fdb replace ${mac} dev ${device} dst ${publicIp} self permanent`);
    run(`ip -n ${this.#name} route replace ${subnet} via ${first} dev ${device} onlink`);
  }

  #removed(subnet: string, { publicIp, backendData = '{}' }: FlannelAttributes): void {
    const first = subnet.replace('/24', '');
    if (this.#options.backend === 'host-gw') {
      run(`ip -n ${this.#name} route delete ${subnet} via ${publicIp}`, { quiet: true });
      return;
    }
    const { VtepMAC: mac } = JSON.parse(backendData);
    run(`ip -n ${this.#name} neigh delete ${first} dev ${device}`, { quiet: true });
    run(`bridge -n ${this.#name} fdb delete ${mac} dev ${device} dst ${publicIp} self`, { quiet: true });
    run(`ip -n ${this.#name} route delete ${subnet}`, { quiet: true });
  }
}
