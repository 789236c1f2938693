// Limits of attachments on the real kernel: what is made, changed and taken back, and how fast TCP gets through them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Attachment } from '../../agent/wiring/attachment.ts';
import { applyBandwidth, checkBandwidth, removeBandwidth } from '../../agent/wiring/bandwidth.ts';
import type { BandwidthLimits } from '../../agent/wiring/bandwidth-limits.ts';
import { limiterName } from '../../agent/wiring/bandwidth-plan.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { openTcDriver } from '../../kernel/tc/driver.ts';
import type { TcDriver } from '../../kernel/tc/step.ts';
import { qdiscText, redirectText } from '../../kernel/tc/text.ts';
import { Prefix } from '../../net/prefix.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const attachment: Attachment = { network: 'pods', containerId: 'c1', ifname: 'eth0' };
const limiter = limiterName(attachment);
const hostLink = 'veth0';
const mtu = 1450;

let node: TestNetns;
let pod: TestNetns;
let route: RouteAccess;
let tc: TcDriver;

beforeAll(refuseRoot);

beforeEach(() => {
  node = testNetns();
  pod = testNetns();
  route = openRouteDriver({ netns: node.netns });
  tc = openTcDriver({ netns: node.netns });
  const peer = { name: 'eth0', mtu, netns: pod.netns };
  applyAll(route, [
    { kind: 'link-add', link: { name: hostLink, detail: { kind: 'veth', peer }, mtu, up: true } },
    { kind: 'address-add', address: { link: hostLink, prefix: Prefix.parse('10.1.0.1/24') } },
  ]);
  const inPod = openRouteDriver({ netns: pod.netns });
  applyAll(inPod, [
    {
      kind: 'link-set',
      link: { name: 'eth0', detail: { kind: 'veth' }, up: true },
      was: { name: 'eth0', detail: { kind: 'veth' } },
    },
    { kind: 'address-add', address: { link: 'eth0', prefix: Prefix.parse('10.1.0.2/24') } },
  ]);
  inPod.close();
});

afterEach(() => {
  tc.close();
  route.close();
  pod[Symbol.dispose]();
  node[Symbol.dispose]();
});

function applyAll(driver: RouteAccess, steps: readonly RouteStep[]): void {
  for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
}

function applyLimits(limits: BandwidthLimits): void {
  applyBandwidth(attachment, { hostLink, mtu, limits }, { route, tc });
}

function check(limits: BandwidthLimits): readonly string[] {
  return checkBandwidth(attachment, { hostLink, mtu, limits }, { route, tc });
}

/** All that limits, as text. */
function shown(): readonly string[] {
  const { qdiscs, redirects } = tc.read([hostLink, limiter]);
  const link = route.link(limiter);
  return [
    ...(link === undefined
      ? []
      : [`${link.name} ${link.alias} ${link.mtu} ${link.txQueueLength} ${link.up}`]),
    ...[...qdiscs.values()].map(qdiscText),
    ...[...redirects.values()].map(redirectText),
  ];
}

function runTc(...words: readonly string[]): string {
  return execFileSync('tc', ['-n', node.name, ...words], { encoding: 'utf8' });
}

const slow = { rate: 8_000_000, burst: 80_000 };
const slower = { rate: 4_000_000, burst: 40_000 };
const states: Readonly<Record<string, BandwidthLimits>> = {
  none: {},
  'to the pod': { ingress: slow },
  'from the pod': { egress: slow },
  both: { ingress: slow, egress: slower },
  'both, other numbers': { ingress: slower, egress: { rate: 100_000_000_000, burst: 4294967295 } },
};

describe('what is in the kernel', () => {
  test.each(Object.keys(states).flatMap((from) => Object.keys(states).map((to) => [from, to] as const)))(
    'from "%s" to "%s", whatever was there before',
    (from, to) => {
      const wanted = states[to] ?? {};
      applyLimits(wanted);
      const fresh = shown();
      removeBandwidth(attachment, { route, tc }, { hostLink });
      expect(shown()).toEqual([]);
      applyLimits(states[from] ?? {});
      applyLimits(wanted);
      // A burst that changes is rounded as a new one is.
      expect(shown()).toEqual(fresh);
      expect(check(wanted)).toEqual([]);
      if (from !== to) expect(check(states[from] ?? {})).not.toEqual([]);
    },
  );

  test('is the device, its bucket, the hook and the redirect', () => {
    applyLimits({ egress: slow });
    expect(shown()).toEqual([
      `${limiter} netloom 1450 0 true`,
      `dev ${hostLink} ingress`,
      `dev ${limiter} root handle 1: tbf rate 1000000bps burst 10000b limit 35000b`,
      `dev ${hostLink} parent ffff: protocol all pref 1 u32 match u32 0 0 action mirred egress redirect dev ${limiter}`,
    ]);
  });

  test('goes although the host end went first, and twice', () => {
    applyLimits({ ingress: slow, egress: slow });
    applyAll(route, [{ kind: 'link-delete', link: { name: hostLink, detail: { kind: 'veth' } } }]);
    removeBandwidth(attachment, { route, tc }, { hostLink });
    removeBandwidth(attachment, { route, tc });
    expect(route.link(limiter)).toBeUndefined();
  });

  test.each<readonly [string, () => void, readonly string[]]>([
    [
      'a device that is gone',
      () => applyAll(route, [{ kind: 'link-delete', link: { name: limiter, detail: { kind: 'ifb' } } }]),
      [
        `link "${limiter}" is missing on the host`,
        `qdisc "dev ${limiter} root handle 1: tbf rate 1000000bps burst 10000b limit 35000b" is missing`,
        `what "${hostLink}" receives is led to nowhere`,
        `what "${hostLink}" receives is not led through "${limiter}"`,
      ],
    ],
    [
      'a device that is down, of another MTU',
      () => {
        execFileSync('ip', ['-n', node.name, 'link', 'set', limiter, 'down', 'mtu', '1300']);
      },
      [`link "${limiter}" is down`, `link "${limiter}" has MTU 1300, not 1450`],
    ],
    [
      'another rate',
      () => {
        runTc(
          'qdisc',
          'change',
          'dev',
          limiter,
          'root',
          'handle',
          '1:',
          'tbf',
          'rate',
          '2mbit',
          'burst',
          '9000',
          'limit',
          '30000',
        );
      },
      [
        `qdisc "dev ${limiter} root handle 1: tbf rate 250000bps burst 9000b limit 30000b" should be "dev ${limiter} root handle 1: tbf rate 1000000bps burst 10000b limit 35000b"`,
      ],
    ],
    [
      "a stranger's qdisc",
      () => {
        runTc('qdisc', 'replace', 'dev', limiter, 'root', 'handle', '2:', 'pfifo');
      },
      [
        `qdisc "dev ${limiter} root handle 1: tbf rate 1000000bps burst 10000b limit 35000b" is not there, but "dev ${limiter} root pfifo"`,
      ],
    ],
  ])('is checked: %s', (_, spoil, problems) => {
    applyLimits({ egress: slow });
    spoil();
    expect(check({ egress: slow })).toEqual(problems);
  });

  test('a failure half-way leaves nothing behind', () => {
    // The last step of all meets a stranger: an ingress place that takes no filters at ffff:.
    runTc('qdisc', 'add', 'dev', hostLink, 'clsact');
    expect(() => applyLimits({ ingress: slow, egress: slow })).toThrow(
      /^Cannot add qdisc "dev veth0 ingress"/,
    );
    expect(route.link(limiter)).toBeUndefined();
    expect(shown()).toEqual([`dev ${hostLink} ingress clsact`]);
  });

  test('a failure half-way puts the former numbers back', () => {
    applyLimits({ ingress: slow });
    runTc('qdisc', 'add', 'dev', hostLink, 'clsact');
    const before = shown();
    expect(() => applyLimits({ ingress: slower, egress: slow })).toThrow(
      /^Cannot add qdisc "dev veth0 ingress"/,
    );
    expect(shown()).toEqual(before);
  });

  test("a stranger's hook stays, and so does what is no ifb device", () => {
    runTc('qdisc', 'add', 'dev', hostLink, 'ingress');
    removeBandwidth(attachment, { route, tc }, { hostLink });
    expect(shown()).toEqual([`dev ${hostLink} ingress`]);
    applyAll(route, [{ kind: 'link-add', link: { name: limiter, detail: { kind: 'bridge' } } }]);
    expect(() => applyLimits({ egress: slow })).toThrow(/^Cannot add link .*EEXIST/);
    removeBandwidth(attachment, { route, tc }, { hostLink });
    expect(route.link(limiter)?.detail.kind).toBe('bridge');
  });
});

const sink = `
  const server = require('node:net').createServer((socket) => {
    const start = performance.now();
    let bytes = 0;
    socket.on('data', (data) => { bytes += data.length; }).on('error', () => {});
    setTimeout(() => {
      console.log(JSON.stringify({ bytes, seconds: (performance.now() - start) / 1000 }));
      process.exit();
    }, 1200);
  });
  server.listen(5001, process.argv[1], () => console.log('ready'));
`;
const source = `
  const socket = require('node:net').connect(5001, process.argv[1]);
  const data = Buffer.alloc(65536);
  const push = () => { while (socket.write(data)); };
  socket.on('connect', push).on('drain', push).on('error', () => process.exit()).on('close', () => process.exit());
`;

function start(place: TestNetns, script: string, address: string): ChildProcess {
  return spawn('nsenter', [`--net=${place.netns.path}`, process.execPath, '-e', script, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Bytes a second that TCP brings from one end to the other, as the receiver counts them. */
async function speed(direction: 'to the pod' | 'from the pod'): Promise<number> {
  const [sender, receiver, address] =
    direction === 'to the pod' ? [node, pod, '10.1.0.2'] : [pod, node, '10.1.0.1'];
  const receiving = start(receiver, sink, address);
  let output = '';
  receiving.stdout?.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const received = once(receiving, 'close');
  await once(receiving.stdout ?? receiving, 'data');
  const sending = start(sender, source, address);
  const sent = once(sending, 'close');
  await Promise.all([received, sent]);
  const { bytes, seconds } = JSON.parse(output.split('\n')[1] ?? '');
  return bytes / seconds;
}

function counters(link: string): { readonly bytes: number; readonly overlimits: number } {
  const [root] = JSON.parse(runTc('-s', '-j', 'qdisc', 'show', 'dev', link, 'root'));
  return root;
}

describe('how fast TCP is', () => {
  const limit = slow.rate / 8;

  test('when what goes to the pod is limited: only that', async () => {
    applyLimits({ ingress: slow });
    const limited = await speed('to the pod');
    expect(limited).toBeGreaterThan(0);
    expect(limited).toBeLessThan(1.5 * limit);
    expect(counters(hostLink).overlimits).toBeGreaterThan(0);
    expect(await speed('from the pod')).toBeGreaterThan(4 * limit);
  });

  test('when what comes from the pod is limited: only that', async () => {
    applyLimits({ egress: slow });
    const limited = await speed('from the pod');
    expect(limited).toBeGreaterThan(0);
    expect(limited).toBeLessThan(1.5 * limit);
    expect(counters(limiter).overlimits).toBeGreaterThan(0);
    expect(counters(limiter).bytes).toBeGreaterThan(limited);
    expect(await speed('to the pod')).toBeGreaterThan(4 * limit);
  });

  test('when the limits are gone, and when they are very high', async () => {
    applyLimits({ ingress: slow, egress: slow });
    removeBandwidth(attachment, { route, tc }, { hostLink });
    expect(await speed('from the pod')).toBeGreaterThan(4 * limit);
    const high = { rate: 10_000_000_000, burst: 4294967295 };
    applyLimits({ ingress: high, egress: high });
    expect(await speed('to the pod')).toBeGreaterThan(20 * limit);
    expect(await speed('from the pod')).toBeGreaterThan(20 * limit);
  });
});
