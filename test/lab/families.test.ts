// Labs of IPv6 alone and of both families on the real kernel, through the executable; and the matrix, which makes one after the other. The
// whole matrix takes minutes: it runs in virtual machines (test/vm/long/matrix.test.ts), and here when NETLOOM_LAB_MATRIX is set.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { labFamilyChoices } from '../../cli/lab/lab-networks.ts';
import { labBackends } from '../../cli/lab/lab-plan.ts';
import { execute } from '../../kernel/exec.ts';
import { proxyModes } from '../../proxy/proxy-mode.ts';
import { refuseRoot } from '../sandbox.ts';
import { checkLab, executable, leftovers, netloom, netloomOk } from './netloom-command.ts';

const lab = 'six';
const named = ['--name', lab] as const;
const at = (where: string, ...command: readonly string[]) =>
  netloomOk('lab', 'exec', ...named, where, '--', ...command);

const report = z.object({
  matrix: z.array(
    z.object({
      backend: z.string(),
      families: z.string(),
      proxyMode: z.string(),
      state: z.enum(['passed', 'failed', 'not-here']),
      checks: z.number(),
      reason: z.string().nullable(),
      failures: z.array(z.object({ name: z.string(), detail: z.string() })),
    }),
  ),
});

async function matrix(...flags: readonly string[]) {
  const command = [executable, 'lab', 'matrix', '--json', '--patience', '3', ...flags] as const;
  const { stdout, exitCode } = await execute([...command], { okCodes: [0, 1], timeout: 110_000 });
  return { exitCode, rows: report.parse(JSON.parse(stdout)).matrix };
}

beforeAll(refuseRoot);

afterAll(async () => {
  for (const name of [lab, 'matrix']) await netloom('lab', 'down', '--name', name);
});

describe('a lab of IPv6 alone', () => {
  test('comes up and is proven, and no node has an IPv4 address', async () => {
    const size = ['--nodes', '2', '--pods-per-node', '1', '--patience', '3'] as const;
    const { networks, nodes } = JSON.parse(
      await netloomOk('lab', 'up', ...named, '--families', 'v6', ...size, '--json'),
    );
    expect(networks).toMatchObject([{ family: 6, pods: 'fd00:10:244::/56' }]);
    expect(nodes).toMatchObject([{ address: '2001:db8:192:2::11' }, { address: '2001:db8:192:2::12' }]);
    for (const node of ['n1', 'n2'])
      expect(await at(node, 'ip', '-4', '-br', 'address', 'show', 'scope', 'global')).toBe('');
    const { checks } = await checkLab(lab);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('pods across nodes: one byte over the MTU refused');
    expect(checks.map(({ name }) => name)).toContain('service: UDP flow moves on');
  });

  test('has leases, an MTU and files of IPv6 alone', async () => {
    const keys = readdirSync(`/run/netloom-lab/${lab}/store/subnets`).filter((name) => !name.startsWith('.'));
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(key).toMatch(/^fd00:10:244:[0-9a-f]+::-64\.json$/);
    const env = readFileSync(`/run/netloom-lab/${lab}/nodes/n1/subnet.env`, 'utf8');
    expect(env).toContain('FLANNEL_IPV6_NETWORK=fd00:10:244::/56');
    // 70 bytes of outer headers.
    expect(env).toContain('FLANNEL_MTU=1430');
    expect(env).not.toMatch(/^FLANNEL_(NETWORK|SUBNET)=/m);
  });

  test('has services of IPv6, and refuses those that need IPv4', async () => {
    const add = ['lab', 'service', 'add', 'web', '--port', '80', ...named] as const;
    expect(await netloomOk(...add)).toBe('default/web  ClusterIP  fd00:10:96::a  80/tcp\n');
    const refused = await netloom(...add, '--ip-family-policy', 'RequireDualStack');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('this lab has only IPv6');
    await netloomOk('lab', 'service', 'rm', 'web', ...named);
  });

  test('is found out when a way of IPv6 is missing: the pairs are named, and the node that lacks it', async () => {
    const { nodes } = JSON.parse(await netloomOk('lab', 'status', ...named, '--json'));
    // An agent would put it back before anybody looks.
    for (const { agent } of nodes) process.kill(agent.pid, 'SIGKILL');
    await at('n1', 'ip', '-6', 'route', 'delete', nodes[1].lease);
    const { checks } = await checkLab(lab);
    const failed = new Map(checks.filter(({ ok }) => !ok).map(({ name, detail }) => [name, detail]));
    expect(failed.get('pods across nodes: ICMP')).toMatch(
      /pod-1a → pod-2a icmp: .* \(node n1 has no route to fd00:10:244:/,
    );
    expect([...failed.keys()]).not.toContain('pod to its own node');
  });

  test('goes without a trace', async () => {
    await netloomOk('lab', 'down', ...named);
    expect(await leftovers(lab)).toEqual([]);
  });
});

describe('the matrix', () => {
  test('proves a lab of both families, and leaves nothing', async () => {
    const flags = ['--backend', 'host-gw', '--families', 'dual', '--proxy-mode', 'iptables'] as const;
    const { rows, exitCode } = await matrix(...flags);
    expect(rows).toMatchObject([{ state: 'passed', reason: null, failures: [] }]);
    expect(exitCode).toBe(0);
    expect(rows[0]?.checks).toBeGreaterThan(40);
    expect(await leftovers('matrix')).toEqual([]);
  });

  test('says why it does not try what cannot be', async () => {
    const { rows, exitCode } = await matrix('--backend', 'ipip', '--families', 'v6');
    expect(exitCode).toBe(0);
    expect(rows.map(({ state }) => state)).toEqual(['not-here', 'not-here', 'not-here']);
    for (const { reason } of rows) expect(reason).toContain('it carries IPv4 only');
  });

  const whole = (process.env['NETLOOM_LAB_MATRIX'] ?? '') === '' ? test.skip : test;
  for (const backend of labBackends)
    whole(
      `passes whole over ${backend}, as far as this kernel can`,
      async () => {
        // One combination a call: then what failed is known before the rest is tried.
        for (const families of labFamilyChoices)
          for (const mode of proxyModes) {
            const flags = ['--backend', backend, '--families', families, '--proxy-mode', mode] as const;
            expect((await matrix(...flags)).rows.filter(({ state }) => state === 'failed')).toEqual([]);
          }
      },
      1_800_000,
    );
});
