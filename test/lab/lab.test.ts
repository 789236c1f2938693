// A whole lab on the real kernel, through the executable: made, proven, changed, removed; and nothing outside of it changes.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { checkLab, leftovers, netloom, netloomOk, networkSnapshot } from './netloom-command.ts';

const everyCheck = [
  'pods on one node: ICMP',
  'pods on one node: TCP, source kept',
  'pods on one node: UDP, source kept',
  'pods on one node: 1 MB there and back',
  'pods on one node: full MTU, unfragmented',
  'pods on one node: one byte over the MTU refused',
  'pods across nodes: ICMP',
  'pods across nodes: TCP, source kept',
  'pods across nodes: UDP, source kept',
  'pods across nodes: 1 MB there and back',
  'pods across nodes: full MTU, unfragmented',
  'pods across nodes: one byte over the MTU refused',
  'pod to its own node',
  'pod to another node',
  'node to pod',
  'pod to outside, source masqueraded',
  'outside cannot reach a pod unasked',
  'service: proxies are ready',
  'service: cluster IP, TCP',
  'service: cluster IP, UDP',
  'service: spread over endpoints',
  'service: session affinity',
  'service: node port from outside',
  'service: node port, policy Local',
  'service: hairpin',
  'service: load balancer with source ranges',
  'service: no endpoints, refused at once',
  'service: endpoint replaced under traffic',
  'service: UDP flow moves on',
];

const outside = process.env['NETLOOM_SANDBOX'] ?? '';
let before: readonly string[];

function snapshots(): Promise<readonly string[]> {
  return Promise.all([networkSnapshot(outside), networkSnapshot('/proc/self/ns/net')]);
}

beforeAll(async () => {
  refuseRoot();
  before = await snapshots();
});

afterAll(async () => {
  for (const lab of ['vx', 'gw']) await netloom('lab', 'down', '--name', lab);
});

describe.each([
  ['vx', 'vxlan'],
  ['gw', 'host-gw'],
])('lab "%s" over %s', (lab, backend) => {
  const named = ['--name', lab] as const;

  test('comes up', async () => {
    const out = await netloomOk('lab', 'up', ...named, '--backend', backend, '--json');
    const report = JSON.parse(out);
    expect(report).toMatchObject({ name: lab, backend, phase: 'running' });
    const nodes: readonly { agent: { state: string; peers: number }; pods: readonly unknown[] }[] =
      report.nodes;
    expect(nodes.map(({ agent, pods }) => `${agent.state} ${agent.peers} ${pods.length}`)).toEqual([
      'ready 2 2',
      'ready 2 2',
      'ready 2 2',
    ]);
  });

  test('is proven', async () => {
    const { checks } = await checkLab(lab);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual(everyCheck);
  });

  test('is not made twice, and says so', async () => {
    const { exitCode, stdout, stderr } = await netloom('lab', 'up', ...named);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(`There is a lab "${lab}" already`);
  });

  test('is shown as a map', async () => {
    const map = await netloomOk('lab', 'status', ...named);
    for (const words of ['192.0.2.11', '192.0.2.13', 'ready, 2 peers', 'pod-3b', '198.51.100.10']) {
      expect(map).toContain(words);
    }
  });

  test('runs commands where it is told to, with their exit codes and options', async () => {
    const at = (where: string, ...command: readonly string[]) =>
      netloom('lab', 'exec', ...named, where, ...command);
    expect((await at('n2', '--', 'ip', '-br', 'address', 'show', 'eth0')).stdout).toContain('192.0.2.12/24');
    expect((await at('pod-1a', 'ip', '-br', 'link', 'show', 'eth0')).stdout).toContain('eth0');
    expect((await at('outside', '--', 'ip', '-4', 'route')).stdout).toBe(
      '192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1 \n203.0.113.0/24 via 192.0.2.11 dev eth0 proto static \n',
    );
    expect((await at('pod-1a', '--', 'sh', '-c', 'exit 1')).exitCode).toBe(1);
    const missing = await at('pod-9z', '--', 'true');
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain('it has pod-1a, pod-1b');
  });

  test('takes a pod more, which is proven too, and lets it go', async () => {
    const pod = JSON.parse(await netloomOk('lab', 'pod', 'add', 'web', '--node', 'n2', ...named, '--json'));
    expect(pod).toMatchObject({ name: 'web', node: 'n2', netns: `netloom-${lab}-web` });
    const twice = await netloom('lab', 'pod', 'add', 'web', ...named);
    expect(twice.stderr).toContain('There is a pod "web"');
    const { checks } = await checkLab(lab);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.find(({ name }) => name === 'pods on one node: ICMP')?.detail).toBe('10 pairs');
    await netloomOk('lab', 'pod', 'rm', 'web', ...named);
    expect((await leftovers(lab)).filter((line) => line.includes('web'))).toEqual([]);
    expect((await netloom('lab', 'pod', 'rm', 'web', ...named)).exitCode).toBe(1);
  });

  test('has services, whose endpoints are the pods with their labels', async () => {
    const add = await netloomOk(
      'lab',
      'service',
      'add',
      'web',
      '--port',
      '80',
      '--selector',
      'role=web',
      ...named,
    );
    expect(add).toBe('default/web  ClusterIP  10.96.0.10  80/tcp\n');
    const slice = () =>
      readFileSync(`/run/netloom-lab/${lab}/services/endpoints/default.web.json`, 'utf8').match(
        /10\.244\.[\d.]+/g,
      ) ?? [];
    expect(slice()).toEqual([]);
    await netloomOk('lab', 'pod', 'label', 'pod-3a', 'role=web', ...named);
    expect(slice()).toHaveLength(1);
    const ask = () =>
      netloom('lab', 'exec', ...named, 'pod-1a', '--', 'curl', '-s', '-m', '1', 'http://10.96.0.10/');
    let answer = await ask();
    for (let look = 0; look < 20 && answer.exitCode !== 0; look++) answer = await ask();
    expect(answer.stdout).toContain('"name":"pod-3a"');
    const twice = await netloom('lab', 'service', 'apply', '/nowhere', ...named);
    expect(twice.exitCode).toBe(2);
    await netloomOk('lab', 'service', 'rm', 'web', ...named);
    expect(await netloomOk('lab', 'service', 'list', ...named)).toBe(
      `There are no services in lab "${lab}"\n`,
    );
  });

  test('keeps its pods when a bridge or a port of one is taken away by hand', async () => {
    const node = (...command: readonly string[]) =>
      netloomOk('lab', 'exec', ...named, 'n1', '--', ...command);
    const portsOf = async () =>
      (await node('bridge', 'link')).split('\n').filter((line) => line !== '').length;
    const [, port = ''] = /^\d+: ([^@:]+)/.exec(await node('bridge', 'link')) ?? [];
    await node('ip', 'link', 'set', port, 'nomaster');
    await node('ip', 'link', 'delete', 'cni0');
    for (let look = 0; look < 50 && (await portsOf()) < 2; look++);
    const { checks } = await checkLab(lab);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(await node('bridge', '-d', 'link', 'show', 'dev', port)).toContain('hairpin on');
  });

  test('goes without a trace, and going again is no error', async () => {
    expect(await leftovers(lab)).not.toEqual([]);
    await netloomOk('lab', 'down', ...named);
    expect(await leftovers(lab)).toEqual([]);
    expect(await netloomOk('lab', 'down', ...named)).toBe(`There is no lab "${lab}"\n`);
    expect((await netloom('lab', 'check', ...named)).stderr).toContain(`There is no lab "${lab}"`);
  });
});

test('neither the machine’s namespace nor the one that the commands ran in has changed', async () => {
  expect(await snapshots()).toEqual(before);
});
