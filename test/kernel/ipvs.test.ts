// IPVS on the real kernel: the same cases as the fake, and what `ipvsadm` prints. Kernels without ip_vs skip all but one test: those of
// development machines have none, so this file is for virtual machines.
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import { manyServers, readAll, show, states, tcp } from '../../kernel/ipvs/driver-cases.ts';
import type { IpvsAccess, VirtualServer } from '../../kernel/ipvs/objects.ts';
import { ipvsMap, planIpvs } from '../../kernel/ipvs/plan.ts';
import { hasScheduler, schedulerChoices } from '../../kernel/ipvs/schedulers.ts';
import { ipvsStepText, serverLines } from '../../kernel/ipvs/text.ts';
import { isNotSupported } from '../../kernel/kernel-error.ts';
import { setLoopback } from '../../kernel/route/set-loopback.ts';
import { IpAddress } from '../../net/address.ts';
import { apply, failures, ipvsDriverSuite, reconcile } from '../ipvs/driver-suite.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const ip = IpAddress.parse;

/** Why this kernel cannot be tested; undefined when it can. */
function lack(): string | undefined {
  // To ask makes the kernel load the module.
  refuseRoot();
  try {
    openIpvs().close();
    return undefined;
  } catch (error) {
    if (isNotSupported(error)) return String(error);
    throw error;
  }
}

const why = lack();
const describeIpvs = why === undefined ? describe : describe.skip;
const title = why === undefined ? 'the kernel' : `the kernel (skipped: ${why})`;

const hasIpvsadm = why === undefined && spawnSync('ipvsadm', ['-Sn']).status === 0;

(why === undefined ? test.skip : test)('a kernel that has no IPVS says so, and what to try', () => {
  expect(() => openIpvs()).toThrow(
    /^Cannot open IPVS: .*\(EOPNOTSUPP\): this kernel has no IPVS, or its module is not loaded: try "modprobe ip_vs"$/,
  );
});

describeIpvs(title, () => {
  let place: TestNetns;
  let access: IpvsAccess;

  function open() {
    place = testNetns();
    // A namespace that never had an address of its own takes every address for a broadcast, and refuses them as real servers.
    setLoopback(place.netns, true);
    access = openIpvs({ netns: place.netns });
    return { access, close };
  }

  function close(): void {
    access.close();
    place[Symbol.dispose]();
  }

  describe('as every driver', () => ipvsDriverSuite(open));

  function ipvsadm(...words: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', place.name, 'ipvsadm', ...words], { encoding: 'utf8' });
  }

  describe('as the kernel alone can be tested', () => {
    beforeEach(() => void open());
    afterEach(close);

    test('has most schedulers, and tells those that it lacks', () => {
      const missing = schedulerChoices.filter((name) => !hasScheduler(access, name));
      expect(missing.filter((name) => name !== 'twos')).toEqual([]);
      expect(hasScheduler(access, 'nope')).toBe(false);
      expect(show(access)).toEqual([]);
    });

    test('says which capability is missing', () => {
      const server = tcp;
      process.seteuid?.(65_534);
      try {
        expect(failures(access, [{ kind: 'server-add', server }])).toEqual([
          'Cannot add virtual server "-t 10.96.0.1:80 -s rr": operation not permitted (EPERM): the capability CAP_NET_ADMIN is needed',
        ]);
        expect(() => access.servers(4)).toThrow(/\(EPERM\): the capability CAP_NET_ADMIN is needed/);
      } finally {
        process.seteuid?.(0);
      }
    });

    test('takes hundreds of virtual servers in one go, gives them back in slices, and loses them', () => {
      const wanted = manyServers(250, 1);
      const all = planIpvs(ipvsMap(wanted), new Map());
      expect(all).toHaveLength(500);
      apply(access, all);
      const slices = [...access.serverSlices(4)];
      expect(slices.length).toBeGreaterThan(1);
      expect(ipvsMap(slices.flat().map((server) => ({ server }))).size).toBe(250);
      const actual = ipvsMap(readAll(access));
      expect(planIpvs(ipvsMap(wanted), actual)).toEqual([]);
      apply(access, planIpvs(new Map(), actual));
      expect(access.servers(4)).toEqual([]);
    });

    test('stops in the middle of slices', () => {
      apply(access, planIpvs(ipvsMap(manyServers(300, 0)), new Map()));
      for (const slice of access.serverSlices(4)) {
        expect(slice.length).toBeGreaterThan(0);
        apply(access, [{ kind: 'server-delete', server: slice[0] ?? raise() }]);
        break;
      }
      expect(access.servers(4)).toHaveLength(299);
    });

    (hasIpvsadm ? describe : describe.skip)('beside ipvsadm', () => {
      test.each(states)('$name: prints the same', ({ name }) => {
        reconcile(access, name);
        const printed = ipvsadm('-Sn').trim();
        expect(printed === '' ? [] : printed.split('\n').toSorted()).toEqual(
          readAll(access)
            .flatMap(({ server, reals }) => serverLines(server, reals))
            .toSorted(),
        );
      });

      test('shows what others did, and a plan heals it', () => {
        const server = tcp;
        // Without NAT a real server has the port of its virtual server: ipvsadm finds no other.
        const wanted = ipvsMap([{ server, reals: [{ address: ip('10.244.2.2'), port: 80, weight: 1 }] }]);
        apply(access, planIpvs(wanted, new Map()));
        ipvsadm('-E', '-t', '10.96.0.1:80', '-s', 'rr', '-p', '5', '-M', '255.255.255.0');
        ipvsadm('-e', '-t', '10.96.0.1:80', '-r', '10.244.2.2:80', '-g');
        ipvsadm('-A', '-f', '7');
        expect(access.servers(4)).toMatchObject([{ persistentSeconds: 5, hasOtherOptions: true }]);
        expect(access.realServers(server)).toMatchObject([{ isNat: false }]);
        const steps = planIpvs(wanted, ipvsMap(readAll(access)));
        expect(steps.map(ipvsStepText)).toEqual([
          'ipvsadm -E -t 10.96.0.1:80 -s rr',
          'ipvsadm -e -t 10.96.0.1:80 -r 10.244.2.2:80 -m -w 1',
        ]);
        apply(access, steps);
        expect(planIpvs(wanted, ipvsMap(readAll(access)))).toEqual([]);
        expect(ipvsadm('-Sn')).toContain('-A -f 7 -s wlc');
      });

      test.each([
        ['one-packet scheduling', ['-A', '-u', '10.96.0.9:53', '-s', 'rr', '-o']],
        ['a flag of sh', ['-A', '-t', '10.96.0.9:53', '-s', 'sh', '-b', 'sh-fallback']],
        ['clients by a prefix', ['-A', '-t', '[fd00::9]:53', '-s', 'rr', '-p', '60', '-M', '64']],
      ])('finds and takes away %s', (_, words) => {
        ipvsadm(...words);
        const [found] = [...access.servers(4), ...access.servers(6)];
        expect(found).toMatchObject({ hasOtherOptions: true });
        if (found !== undefined) apply(access, [{ kind: 'server-change', server: found }]);
        expect([...access.servers(4), ...access.servers(6)]).toMatchObject([{ hasOtherOptions: false }]);
      });
    });
  });
});

describeIpvs('connections of a real server', () => {
  const server: VirtualServer = { ...tcp, address: ip('10.96.0.77'), persistentSeconds: 60 };
  const listener = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  let access: IpvsAccess;

  beforeAll(async () => {
    // This process's own namespace, which is the sandbox's.
    access = openIpvs();
    execFileSync('ip', ['address', 'add', '10.96.0.77/32', 'dev', 'lo']);
    execFileSync('ip', ['address', 'add', '10.244.0.77/32', 'dev', 'lo']);
    listener.listen(8080, '10.244.0.77');
    await once(listener, 'listening');
  });

  afterAll(() => {
    listener.close();
    access.apply([{ kind: 'server-delete', server }]);
    access.close();
    execFileSync('ip', ['address', 'delete', '10.96.0.77/32', 'dev', 'lo']);
    execFileSync('ip', ['address', 'delete', '10.244.0.77/32', 'dev', 'lo']);
  });

  test('are counted while they live, and outlive weight 0', async () => {
    const real = { address: ip('10.244.0.77'), port: 8080, weight: 1 };
    apply(access, [
      { kind: 'server-add', server },
      { kind: 'real-add', server, real },
    ]);
    const socket = connect({ host: '10.96.0.77', port: 80 });
    await once(socket, 'connect');
    const counts = () => access.realServers(server).map((each) => [each.weight, each.activeConnections]);
    expect(counts()).toEqual([[1, 1]]);
    expect(access.realServers(server)[0]?.persistentConnections).toBe(1);
    apply(access, [{ kind: 'real-change', server, real: { ...real, weight: 0 } }]);
    socket.write('still here');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toBe('still here');
    expect(counts()).toEqual([[0, 1]]);
    socket.destroy();
    while (access.realServers(server)[0]?.activeConnections !== 0) await setTimeout(20);
    expect(access.realServers(server)[0]?.inactiveConnections).toBe(1);
  });
});

function raise(): never {
  throw new TypeError('Cannot find a virtual server in a slice');
}
