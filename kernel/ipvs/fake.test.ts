import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { apply, failures, ipvsDriverSuite, reconcile } from '../../test/ipvs/driver-suite.ts';
import { everyOutcome } from '../every-outcome.ts';
import { type Packet, packet } from '../nft/packet.ts';
import { disturbances, readAll, realsOf, show, stateOf, states, stepsTo, tcp } from './driver-cases.ts';
import { FakeIpvsKernel, type IpvsEvaluation, type IpvsSurroundings } from './fake.ts';
import { type IpvsStep, type RealServer, realServerText, type VirtualServer } from './objects.ts';
import { hasScheduler } from './schedulers.ts';
import { ipvsStepText } from './text.ts';

const ip = IpAddress.parse;

describe('the fake kernel', () => {
  ipvsDriverSuite(() => ({ access: new FakeIpvsKernel().access(), close: () => undefined }));

  test('has the schedulers that it is said to have', () => {
    const access = new FakeIpvsKernel({ missingSchedulers: ['mh'] }).access();
    expect(['rr', 'mh', 'wlc', 'nope'].map((name) => hasScheduler(access, name))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(show(access)).toEqual([]);
  });

  test('shows what others did, and a plan heals it', () => {
    const kernel = new FakeIpvsKernel();
    const access = kernel.access();
    const name = 'one virtual server with two real servers';
    reconcile(access, name);
    const [there] = readAll(access);
    const [real] = there?.reals ?? [];
    if (there === undefined || real === undefined) throw new TypeError('Cannot find a real server');
    kernel.disturb(there.server);
    kernel.disturb(there.server, real);
    expect(stepsTo(stateOf(name), access).map(ipvsStepText)).toEqual([
      'ipvsadm -E -t 10.96.0.1:80 -s rr',
      'ipvsadm -e -t 10.96.0.1:80 -r 10.244.2.2:8080 -m -w 1',
    ]);
    const again = [
      { kind: 'server-add', server: { ...there.server, hasOtherOptions: false } },
      { kind: 'real-add', server: there.server, real },
    ] as const;
    expect(failures(access, again)).toEqual([
      'Cannot add virtual server "-t 10.96.0.1:80 -s rr": file already exists (EEXIST): it is there as "-t 10.96.0.1:80 -s rr" and more',
      'Cannot add real server "-t 10.96.0.1:80 -r 10.244.2.2:8080 -m -w 1": file already exists (EEXIST): it is there with weight 1, and without NAT',
    ]);
    reconcile(access, name);
    kernel.flush();
    expect(show(access)).toEqual([]);
    expect(() => kernel.disturb(there.server)).toThrow(
      /Cannot change virtual server "tcp 10.96.0.1:80": it is not there/,
    );
  });

  test('fails the steps that it is told to, and goes on with the others', () => {
    const kernel = new FakeIpvsKernel();
    const access = kernel.access();
    const stop = kernel.fail(
      (step) => step.kind === 'real-add' && step.real.address.equals(ip('10.244.1.2')),
    );
    const state = stateOf('one virtual server with two real servers');
    expect(failures(access, stepsTo(state, access))).toEqual([
      undefined,
      'Cannot add real server "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1": i/o error (EIO)',
      undefined,
    ]);
    stop();
    expect(stepsTo(state, access).map(ipvsStepText)).toEqual([
      'ipvsadm -a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
    ]);
    expect(kernel.applied.map(({ kind }) => kind)).toEqual(['server-add', 'real-add', 'real-add']);
  });

  test('a fork changes of its own', () => {
    const kernel = new FakeIpvsKernel();
    reconcile(kernel.access(), 'one virtual server with two real servers');
    const fork = kernel.fork();
    fork.access().setTimeouts({ tcp: 5, tcpFin: 0, udp: 0 });
    reconcile(fork.access(), 'nothing');
    expect(show(kernel.access())).toHaveLength(3);
    expect(kernel.access().timeouts().tcp).toBe(900);
    expect(fork.fork().access().timeouts().tcp).toBe(5);
  });
});

describe('a plan', () => {
  test('for any sequence of states and disturbances leads to the last state', () => {
    const names = states.map(({ name }) => name);
    const happenings = fc.array(
      fc.oneof(
        fc.constantFrom(...names).map((name) => ({ name, steps: undefined })),
        fc.constantFrom(...disturbances),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(happenings, fc.constantFrom(...names), (sequence, last) => {
        const access = new FakeIpvsKernel().access();
        // Some do not apply to the state of the moment: what can be done is done.
        for (const { name, steps } of sequence) access.apply(steps ?? stepsTo(stateOf(name), access));
        reconcile(access, last);
      }),
      { numRuns: 100 },
    );
  });
});

const server = tcp;
const reals: readonly RealServer[] = [1, 2, 3].map((last) => ({
  address: ip(`10.244.1.${last}`),
  port: 8080,
  weight: last - 1,
}));

function kernelWith(change: Partial<VirtualServer>, of: readonly RealServer[] = reals): FakeIpvsKernel {
  const kernel = new FakeIpvsKernel();
  const wanted = { ...server, ...change };
  apply(kernel.access(), [
    { kind: 'server-add', server: wanted },
    ...of.map((real): IpvsStep => ({ kind: 'real-add', server: wanted, real })),
  ]);
  return kernel;
}

function from(source: string, change: Partial<Packet> = {}): Packet {
  return packet({
    hook: 'input',
    saddr: ip(source),
    daddr: server.address,
    protocol: 6,
    dport: 80,
    ...change,
  });
}

function textOf(evaluation: IpvsEvaluation | undefined): string {
  if (evaluation === undefined) return 'passed';
  return evaluation.kind === 'sent' ? realServerText(evaluation.real) : 'refused';
}

/** Where the packet may go, and with which probability. */
function ways(kernel: FakeIpvsKernel, first: Packet): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { result, probability } of everyOutcome(({ random }) =>
    kernel.fork().evaluate(first, { random }),
  ))
    found[textOf(result)] = (found[textOf(result)] ?? 0) + probability;
  return found;
}

describe('the first packet of a connection', () => {
  test('is let pass when it is for no virtual server', () => {
    const kernel = kernelWith({});
    expect(kernel.evaluate(from('192.0.2.1', { dport: 81 }))).toBeUndefined();
    expect(kernel.evaluate(from('192.0.2.1', { protocol: 17 }))).toBeUndefined();
    expect(kernel.evaluate(from('192.0.2.1', { protocol: 1 }))).toBeUndefined();
    expect(kernel.evaluate(from('192.0.2.1', { daddr: ip('10.96.0.2') }))).toBeUndefined();
  });

  test('is refused when no real server takes connections', () => {
    expect(ways(kernelWith({}, []), from('192.0.2.1'))).toEqual({ refused: 1 });
    expect(ways(kernelWith({ scheduler: 'sed' }, reals.slice(0, 1)), from('192.0.2.1'))).toEqual({
      refused: 1,
    });
  });

  test.each([
    ['rr', { '10.244.1.2:8080': 0.5, '10.244.1.3:8080': 0.5 }],
    ['wrr', { '10.244.1.2:8080': 1 / 3, '10.244.1.3:8080': 2 / 3 }],
    ['fo', { '10.244.1.3:8080': 1 }],
    ['sed', { '10.244.1.3:8080': 1 }],
  ])('goes by the scheduler %s', (scheduler, expected) => {
    expect(ways(kernelWith({ scheduler }), from('192.0.2.1'))).toEqual(expected);
  });

  test.each([
    ['lc', '10.244.1.2:8080'],
    ['wlc', '10.244.1.3:8080'],
    ['sed', '10.244.1.3:8080'],
    ['nq', '10.244.1.3:8080'],
    ['ovf', '10.244.1.2:8080'],
    ['lblc', '10.244.1.3:8080'],
  ])('goes by the connections that there are with %s', (scheduler, expected) => {
    const kernel = kernelWith({ scheduler });
    const [, second, third] = reals;
    if (second === undefined || third === undefined) throw new TypeError('Cannot find three real servers');
    kernel.setConnections(server, second, { activeConnections: 1, inactiveConnections: 5 });
    kernel.setConnections(server, third, { activeConnections: 1, inactiveConnections: 7 });
    if (scheduler === 'ovf') kernel.setConnections(server, third, { activeConnections: 3 });
    expect(ways(kernel, from('192.0.2.1'))).toEqual({ [expected]: 1 });
    expect(realsOf(kernel.access(), server)).toHaveLength(3);
    expect(() => kernel.setConnections(server, { ...third, port: 1 }, {})).toThrow(
      /Cannot change real server "10.244.1.3:1": "tcp 10.96.0.1:80" does not have it/,
    );
  });

  test.each(['sh', 'mh'])('goes by the client with %s', (scheduler) => {
    const clients = Array.from({ length: 20 }, (_, i) => `192.0.2.${i}`);
    const alike = kernelWith({ scheduler });
    const seen = clients.map((client) => textOf(alike.evaluate(from(client))));
    expect(new Set(seen).size).toBe(2);
    expect(clients.map((client) => textOf(alike.evaluate(from(client, { sport: 9 }))))).toEqual(seen);
    const ports = kernelWith({ scheduler, hashesPort: true });
    const byPort = clients.map((_, i) => textOf(ports.evaluate(from('192.0.2.1', { sport: i }))));
    expect(new Set(byPort).size).toBe(2);
  });

  test('of a persistent client goes where the last one went, for so long', () => {
    const kernel = kernelWith({ persistentSeconds: 60 });
    const at = (seconds: number, pick: number, more: IpvsSurroundings = {}) =>
      textOf(kernel.evaluate(from('192.0.2.1'), { random: () => pick, now: () => seconds * 1000, ...more }));
    expect(at(0, 1)).toBe('10.244.1.3:8080');
    expect(at(59, 0)).toBe('10.244.1.3:8080');
    expect(at(118, 0)).toBe('10.244.1.3:8080');
    expect(textOf(kernel.evaluate(from('192.0.2.2'), { random: () => 0 }))).toBe('10.244.1.2:8080');
    expect(textOf(kernel.fork().evaluate(from('192.0.2.1'), { now: () => 119_000 }))).toBe('10.244.1.3:8080');
    expect(at(178, 0)).toBe('10.244.1.2:8080');
    const [, second] = reals;
    if (second === undefined) throw new TypeError('Cannot find a second real server');
    const change = { kind: 'real-change', server, real: { ...second, weight: 0 } } as const;
    apply(kernel.access(), [change]);
    expect(at(179, 0)).toBe('10.244.1.2:8080');
    expect(at(180, 0, { expireQuiescentTemplate: true })).toBe('10.244.1.3:8080');
    apply(kernel.access(), [{ kind: 'real-delete', server, real: { ...second, address: ip('10.244.1.3') } }]);
    expect(at(181, 0, { expireQuiescentTemplate: true })).toBe('refused');
  });
});
