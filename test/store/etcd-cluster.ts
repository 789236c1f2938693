// A real etcd cluster on loopback for tests: members that can be killed and started again, TLS and users if asked for, and a wire to a member
// that can be cut. etcd keeps its data in memory-backed /run.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { refuseRoot } from '../sandbox.ts';
import type { TestPki } from './test-pki.ts';

const run = promisify(execFile);

/** Why there can be no cluster here. */
export function etcdFault(): string | undefined {
  for (const program of ['etcd', 'etcdctl']) {
    try {
      execFileSync(program, [program === 'etcd' ? '--version' : 'version'], { stdio: 'ignore' });
    } catch {
      return `there is no ${program}: apt-get install etcd-server etcd-client`;
    }
  }
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

interface Member {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
  child: ChildProcess | undefined;
}

export interface EtcdClusterOptions {
  readonly members?: number;
  readonly pki?: TestPki;
  /** Clients must show a certificate too. */
  readonly clientCertificates?: boolean;
  /** The most that the database may have. */
  readonly quotaBytes?: number;
}

export class EtcdCluster implements AsyncDisposable {
  readonly #directory: string;
  readonly #members: readonly Member[];
  readonly #options: EtcdClusterOptions;
  /** Before each command of etcdctl: the user. */
  user: string | undefined;

  private constructor(directory: string, members: readonly Member[], options: EtcdClusterOptions) {
    this.#directory = directory;
    this.#members = members;
    this.#options = options;
  }

  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    refuseRoot();
    const members: Member[] = [];
    for (let i = 0; i < (options.members ?? 1); i++)
      members.push({ name: `m${i}`, client: await freePort(), peer: await freePort(), child: undefined });
    const cluster = new EtcdCluster(mkdtempSync('/run/netloom-etcd-'), members, options);
    for (const i of members.keys()) cluster.launch(i);
    await cluster.ready();
    return cluster;
  }

  get #scheme(): string {
    return this.#options.pki === undefined ? 'http' : 'https';
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ client }) => `${this.#scheme}://127.0.0.1:${client}`);
  }

  /** Of a member, to put a wire before it. */
  portOf(i: number): number {
    return this.#member(i).client;
  }

  #member(i: number): Member {
    const member = this.#members[i];
    if (member === undefined) throw new RangeError(`no member ${i}`);
    return member;
  }

  launch(i: number): void {
    const member = this.#member(i);
    const { pki, clientCertificates = false, quotaBytes } = this.#options;
    const url = `${this.#scheme}://127.0.0.1:${member.client}`;
    const peer = `http://127.0.0.1:${member.peer}`;
    const log = openSync(join(this.#directory, `${member.name}.log`), 'a');
    const tls =
      pki === undefined
        ? []
        : [
            ...['--cert-file', pki.server.certificate, '--key-file', pki.server.key],
            ...(clientCertificates ? ['--client-cert-auth', '--trusted-ca-file', pki.ca] : []),
          ];
    member.child = spawn(
      'etcd',
      [
        ...['--name', member.name, '--data-dir', join(this.#directory, member.name)],
        ...['--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        '--initial-cluster',
        this.#members.map(({ name, peer: port }) => `${name}=http://127.0.0.1:${port}`).join(','),
        ...['--heartbeat-interval', '50', '--election-timeout', '500', '--bcrypt-cost', '4'],
        ...(quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)]),
        ...tls,
      ],
      { stdio: ['ignore', log, log], env: { PATH: process.env['PATH'] } },
    );
  }

  async kill(i: number): Promise<void> {
    const { child } = this.#member(i);
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    this.#member(i).child = undefined;
  }

  /** A member that hangs: its connections stand, and nobody answers. */
  signal(i: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#member(i).child?.kill(signal);
  }

  /** As of a member whose disk was lost. */
  forget(i: number): void {
    rmSync(join(this.#directory, this.#member(i).name), { recursive: true });
  }

  async ready(): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        await this.ctl('get', 'ready');
        return;
      } catch (error) {
        if (Date.now() > deadline) throw new Error(`${String(error)}\n${this.log()}`);
        await delay(50);
      }
    }
  }

  log(): string {
    return this.#members
      .map(({ name }) => readFileSync(join(this.#directory, `${name}.log`), 'utf8').slice(-2000))
      .join('\n');
  }

  async ctl(...argv: readonly string[]): Promise<string> {
    const { pki, clientCertificates = false } = this.#options;
    const tls =
      pki === undefined
        ? []
        : [
            '--cacert',
            pki.ca,
            ...(clientCertificates ? ['--cert', pki.client.certificate, '--key', pki.client.key] : []),
          ];
    const user = this.user === undefined ? [] : ['--user', this.user];
    const endpoints = this.#members.flatMap(({ child }, i) =>
      child === undefined ? [] : (this.endpoints[i] ?? []),
    );
    const { stdout } = await run(
      'etcdctl',
      [`--endpoints=${endpoints.join(',')}`, '--command-timeout=3s', ...tls, ...user, ...argv],
      { env: { PATH: process.env['PATH'], ETCDCTL_API: '3' } },
    );
    return stdout;
  }

  async put(key: string, value: string): Promise<void> {
    await this.ctl('put', '--', key, value);
  }

  /** In one transaction; values must not have quotes of a shell's own kind: etcdctl reads them as Go's texts. */
  async putAll(pairs: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
    const lines = pairs.map(({ key, value }) => `put ${JSON.stringify(key)} ${JSON.stringify(value)}`);
    const child = spawn('etcdctl', [`--endpoints=${this.endpoints.join(',')}`, 'txn'], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
    });
    // Comparisons, requests if they hold, requests if not: an empty line ends each.
    child.stdin.end(`\n${lines.join('\n')}\n\n\n`);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`etcdctl txn: exit ${code}`);
  }

  async delete(key: string): Promise<void> {
    await this.ctl('del', '--', key);
  }

  /** Key -> value, below the prefix. */
  async values(prefix: string): Promise<ReadonlyMap<string, string>> {
    const text = (value: string) => Buffer.from(value, 'base64').toString();
    return new Map((await this.raw(prefix)).map(({ key, value = '' }) => [text(key), text(value)]));
  }

  async raw(prefix: string): Promise<readonly { key: string; value?: string; lease?: number }[]> {
    // Ids of leases are larger than what a number holds: as text.
    const out = (await this.ctl('get', '--prefix', prefix, '-w', 'json')).replace(
      /"lease":(\d+)/g,
      '"lease":"$1"',
    );
    return JSON.parse(out).kvs ?? [];
  }

  async revision(): Promise<number> {
    return JSON.parse(await this.ctl('get', 'ready', '-w', 'json')).header.revision;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, i) => this.kill(i)));
    rmSync(this.#directory, { recursive: true });
  }
}

/** Between us and a member: can be cut, and then refuses, or swallows what is said. */
export interface Wire extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  cut(): void;
  mend(): void;
}

/** `address`: of both its ends. */
export async function wireTo(port: number, { address: host = '127.0.0.1' } = {}): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  }).listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    cut,
    mend() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
