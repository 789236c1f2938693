// A real kube-apiserver with etcd, where both are on PATH, in a directory of its own: for the suite that the small one passes too, and for whole
// nodes. Nothing else of Kubernetes runs: no controller touches what a test makes. It can die, come back, and lose its history.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isApiError } from '../../store/kubernetes/api/api-error.ts';
import type { KubeAccess } from '../../store/kubernetes/api/kube-access.ts';
import { KubeClient } from '../../store/kubernetes/api/kube-client.ts';
import type { ApiObject } from './fake-api-server.ts';
import { opensslFault, type TestPki, testPki } from './test-pki.ts';
import { until } from './until.ts';

/** Why there can be none here; undefined: there can. */
export function whyNoApiServer(): string | undefined {
  for (const program of ['kube-apiserver', 'etcd']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      return `${program} is not on PATH`;
    }
  }
  return opensslFault();
}

const { signal } = new AbortController();

/** Where each kind is in the API. */
const kinds: Readonly<Record<string, { readonly base: string; readonly resource: string }>> = {
  Node: { base: '/api/v1', resource: 'nodes' },
  Service: { base: '/api/v1', resource: 'services' },
  ServiceAccount: { base: '/api/v1', resource: 'serviceaccounts' },
  ConfigMap: { base: '/api/v1', resource: 'configmaps' },
  Event: { base: '/api/v1', resource: 'events' },
  EndpointSlice: { base: '/apis/discovery.k8s.io/v1', resource: 'endpointslices' },
  DaemonSet: { base: '/apis/apps/v1', resource: 'daemonsets' },
  ClusterRole: { base: '/apis/rbac.authorization.k8s.io/v1', resource: 'clusterroles' },
  ClusterRoleBinding: { base: '/apis/rbac.authorization.k8s.io/v1', resource: 'clusterrolebindings' },
  Role: { base: '/apis/rbac.authorization.k8s.io/v1', resource: 'roles' },
  RoleBinding: { base: '/apis/rbac.authorization.k8s.io/v1', resource: 'rolebindings' },
};

/** The path of all objects of a kind, or of a resource, and of one of them: "namespace/name" or "name". */
export function placeOf(
  of: string,
  key: string,
): { readonly all: string; readonly one: string; readonly everywhere: string } {
  const found = kinds[of] ?? Object.values(kinds).find(({ resource }) => resource === of);
  if (found === undefined) throw new RangeError(`Cannot find kind or resource "${of}" in the API`);
  const { base, resource } = found;
  const [namespace, name] = key.includes('/') ? key.split('/') : [undefined, key];
  const all = `${base}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`;
  return { all, one: `${all}/${name}`, everywhere: `${base}/${resource}` };
}

export function objectKey({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export class RealApiServer implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'netloom-apiserver-'));
  readonly #tokens = new Map<string, string>();
  readonly #programs = new Map<'etcd' | 'kube-apiserver', ChildProcess>();
  readonly #ports: { readonly client: number; readonly peer: number; readonly api: number };
  readonly #address: string;
  readonly pki: TestPki;
  readonly admin: KubeClient;

  private constructor(ports: { client: number; peer: number; api: number }, address: string) {
    this.#ports = ports;
    this.#address = address;
    this.pki = testPki();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(this.#path('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    const users = ['admin', 'agent', 'proxy'].map((name) => {
      const token = randomBytes(16).toString('hex');
      this.#tokens.set(name, token);
      return `${token},${name},${name}${name === 'admin' ? ',"system:masters"' : ''}\n`;
    });
    writeFileSync(this.#path('tokens.csv'), users.join(''), { mode: 0o600 });
    this.admin = new KubeClient({ access: this.accessOf('admin') });
  }

  /** `address`: of this namespace, by which others reach it. */
  static async start({ address = '127.0.0.1' } = {}): Promise<RealApiServer> {
    const ports = { client: await freePort(), peer: await freePort(), api: await freePort() };
    const server = new RealApiServer(ports, address);
    try {
      server.#launchEtcd();
      await server.launch();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `https://${this.#address}:${this.#ports.api}`;
  }

  get port(): number {
    return this.#ports.api;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /** As a user of ours: "admin", "agent" or "proxy". */
  accessOf(user: string): KubeAccess {
    return {
      server: this.url,
      credentials: async () => ({
        headers: { authorization: `Bearer ${this.#tokens.get(user)}` },
        tls: { ca: readFileSync(this.pki.ca) },
      }),
      refused() {},
    };
  }

  #spawn(program: 'etcd' | 'kube-apiserver', args: readonly string[]): void {
    const log = openSync(this.#path(`${program}.log`), 'a');
    this.#programs.set(program, spawn(program, args, { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  log(program: 'etcd' | 'kube-apiserver'): string {
    return readFileSync(this.#path(`${program}.log`), 'utf8').slice(-4000);
  }

  #launchEtcd(): void {
    const { client, peer } = this.#ports;
    this.#spawn('etcd', [
      `--data-dir=${this.#path('etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      '--unsafe-no-fsync',
    ]);
  }

  /** Again, after `kill`; until it is ready. */
  async launch(): Promise<void> {
    const server = this.pki.issue(`apiserver-${this.#address}`, {
      usage: 'serverAuth',
      names: `IP:127.0.0.1,IP:${this.#address}`,
    });
    this.#spawn('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${this.#ports.client}`,
      `--bind-address=${this.#address}`,
      `--advertise-address=${this.#address}`,
      '--endpoint-reconciler-type=none',
      `--secure-port=${this.#ports.api}`,
      `--cert-dir=${this.#path('certificates')}`,
      `--tls-cert-file=${server.certificate}`,
      `--tls-private-key-file=${server.key}`,
      `--client-ca-file=${this.pki.ca}`,
      `--token-auth-file=${this.#path('tokens.csv')}`,
      '--authorization-mode=RBAC',
      // As kubeadm: kube-proxy is privileged, too.
      '--allow-privileged=true',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${this.#path('sa.key')}`,
      `--service-account-signing-key-file=${this.#path('sa.key')}`,
      // It would give nodes a taint, and want service accounts of pods, that nobody makes here.
      '--disable-admission-plugins=TaintNodesByCondition,ServiceAccount',
    ]);
    const isThere = async (path: string) => {
      await this.admin.text({ path, signal });
    };
    await until(async () => {
      const child = this.#programs.get('kube-apiserver');
      if (child?.exitCode !== null)
        throw new Error(`kube-apiserver has ended:\n${this.log('kube-apiserver')}`);
      try {
        await isThere('/readyz');
        await isThere('/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node-proxier');
        for (const name of ['default', 'kube-system']) await isThere(`/api/v1/namespaces/${name}`);
        return true;
      } catch {
        return false;
      }
    }, 110_000);
  }

  /** As a machine that loses its power. */
  async kill(program: 'etcd' | 'kube-apiserver' = 'kube-apiserver'): Promise<void> {
    const child = this.#programs.get(program);
    this.#programs.delete(program);
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Forgets all history of the database up to now, by etcd's gateway of JSON. */
  async compact(): Promise<void> {
    const ask = async (what: string, body: object): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${this.#ports.client}/v3/kv/${what}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`etcd: ${what}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    };
    const { header } = Object(await ask('range', { key: Buffer.from('x').toString('base64') }));
    await ask('compaction', { revision: header.revision, physical: true });
  }

  /** Undefined: there is none. */
  async get(of: string, key: string): Promise<ApiObject | undefined> {
    try {
      // What the server answers with is an object of its API.
      return (await this.admin.json({ path: placeOf(of, key).one, signal })) as ApiObject;
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  async list(of: string): Promise<readonly ApiObject[]> {
    const answer: unknown = await this.admin.json({ path: placeOf(of, 'x').everywhere, signal });
    const items: unknown = Object(answer).items;
    return Array.isArray(items) ? items : [];
  }

  /** `dryRun`: the server looks at all of it, and keeps nothing. A field that it does not know is an error. */
  async create(object: ApiObject, { dryRun = false } = {}): Promise<void> {
    const query = { fieldValidation: 'Strict', ...(dryRun ? { dryRun: 'All' } : {}) };
    const path = placeOf(String(object.kind), objectKey(object)).all;
    await this.admin.json({ method: 'POST', path, query, body: object, signal });
  }

  async merge(of: string, key: string, patch: object): Promise<void> {
    await this.admin.json({
      method: 'PATCH',
      path: placeOf(of, key).one,
      contentType: 'application/merge-patch+json',
      body: patch,
      signal,
    });
  }

  async remove(of: string, key: string): Promise<void> {
    try {
      await this.admin.json({ method: 'DELETE', path: placeOf(of, key).one, signal });
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
  }

  /** A token of a service account ("namespace/name"), as kubelet asks for one. */
  async tokenOf(account: string): Promise<string> {
    const answer: unknown = await this.admin.json({
      method: 'POST',
      path: `${placeOf('ServiceAccount', account).one}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 3600 },
      },
      signal,
    });
    return String(Object(Object(answer).status).token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.close();
    await this.kill('kube-apiserver');
    await this.kill('etcd');
    this.pki[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
