// A check that cannot fail proves nothing: things are broken for real, and the checks that must notice do, by name.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { checkLab, netloom, netloomOk } from './netloom-command.ts';

const lab = 'broken';
const inside = (where: string, ...command: readonly string[]) =>
  execute(['ip', 'netns', 'exec', `netloom-${lab}-${where}`, ...command]);

interface Status {
  readonly nodes: readonly {
    readonly name: string;
    readonly lease: string | null;
    readonly agent: { readonly state: string; readonly pid: number | null };
    readonly pods: readonly { readonly name: string; readonly address: string }[];
  }[];
}

async function status(): Promise<Status> {
  return JSON.parse((await netloom('lab', 'status', '--name', lab, '--json')).stdout);
}

/** Failing checks of the network by name, with what they say. Those of services only say that the proxies went with the agents. */
async function failing(): Promise<ReadonlyMap<string, string>> {
  const { checks } = await checkLab(lab);
  return new Map(
    checks
      .filter(({ ok, name }) => !ok && !name.startsWith('service:'))
      .map(({ name, detail }) => [name, detail]),
  );
}

let whole: Status;

beforeAll(async () => {
  refuseRoot();
  await netloomOk('lab', 'up', '--name', lab, '--nodes', '2', '--pods-per-node', '2');
  whole = await status();
  // An agent would put everything back before anybody looks.
  for (const { agent } of whole.nodes) if (agent.pid !== null) process.kill(agent.pid, 'SIGKILL');
}, 60_000);

afterAll(() => netloom('lab', 'down', '--name', lab));

test('status tells that the agents are gone, and fails', async () => {
  const { exitCode, stdout } = await netloom('lab', 'status', '--name', lab);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('not running');
});

test('without its agents the lab still works', async () => {
  expect([...(await failing())]).toEqual([]);
  const { checks } = await checkLab(lab);
  expect(checks.filter(({ ok }) => !ok)).toMatchObject([
    { name: 'service: proxies are ready', detail: expect.stringContaining('n1: its proxy does not answer') },
  ]);
});

describe('broken by hand', () => {
  const lease = (node: number): string => whole.nodes[node]?.lease ?? '';

  test('a route that is missing: the pairs are named, and the node that lacks it', async () => {
    const route = (await inside('n1', 'ip', 'route', 'show', lease(1))).stdout.trim();
    await inside('n1', 'ip', 'route', 'delete', lease(1));
    const { exitCode, stdout } = await netloom('lab', 'check', '--name', lab);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/✗ pods across nodes: ICMP/);
    expect(stdout).toMatch(/checks failed/);
    const failed = await failing();
    expect(failed.get('pods across nodes: ICMP')).toMatch(
      /pod-1a → pod-2[ab] icmp: .* \(node n1 has no route to 10\.244\./,
    );
    expect([...failed.keys()]).not.toContain('pods on one node: ICMP');
    await inside('n1', 'ip', 'route', 'add', ...route.split(/\s+/));
    // A packet that was under way when the route changed may be refused in other words: it is not when one looks again.
    let left = await failing();
    for (let look = 0; look < 2 && left.size > 0; look++) left = await failing();
    expect([...left]).toEqual([]);
  });

  test('a pod whose link is down: its pairs alone', async () => {
    await inside('pod-2b', 'ip', 'link', 'set', 'eth0', 'down');
    const failed = await failing();
    expect(failed.get('pods on one node: ICMP')).toMatch(/^2 of 4 failed: .*pod-2b/);
    await inside('pod-2b', 'ip', 'link', 'set', 'eth0', 'up');
    const [gateway] =
      (await inside('n2', 'ip', '-4', '-o', 'address', 'show', 'cni0')).stdout.match(/10\.244\.\d+\.1/) ?? [];
    await inside('pod-2b', 'ip', 'route', 'add', 'default', 'via', gateway ?? '');
    expect([...(await failing())]).toEqual([]);
  });

  test('a smaller MTU on the way: large packets are lost, small ones not', async () => {
    await inside('n1', 'ip', 'link', 'set', 'flannel.1', 'mtu', '1400');
    // A packet that was under way when the device changed may be lost: it is not when one looks again.
    let failed = await failing();
    for (let look = 0; look < 2 && failed.size !== 1; look++) failed = await failing();
    expect([...failed.keys()]).toEqual(['pods across nodes: full MTU, unfragmented']);
    await inside('n1', 'ip', 'link', 'set', 'flannel.1', 'mtu', '1450');
  });

  test('masquerading that is gone: outside does not answer', async () => {
    const rules = (await inside('n1', 'nft', 'list', 'ruleset')).stdout;
    await inside('n1', 'nft', 'flush', 'ruleset');
    const failed = await failing();
    expect(failed.get('pod to outside, source masqueraded')).toMatch(/pod-1[ab] → outside/);
    expect(failed.get('pod to another node')).toMatch(/it saw 10\.244\.\d+\.\d+, expected 192\.0\.2\.11/);
    await execute(['ip', 'netns', 'exec', `netloom-${lab}-n1`, 'nft', '-f', '-'], { input: rules });
  });

  test('a way in from outside is noticed', async () => {
    await inside('outside', 'ip', 'route', 'add', lease(0), 'via', '192.0.2.11');
    const failed = await failing();
    expect(failed.get('outside cannot reach a pod unasked')).toMatch(
      /outside → pod-1[ab] (tcp|icmp)-unanswered: .* expected (nobody|none)/,
    );
  });
});
