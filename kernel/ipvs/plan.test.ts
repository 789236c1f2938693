import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import type { RealServer, RealServerState, VirtualServer } from './objects.ts';
import { type ActualServer, ipvsMap, planIpvs, serverSteps, type WantedServer } from './plan.ts';
import { ipvsStepText } from './text.ts';

const ip = IpAddress.parse;

function server(last: number, change: Partial<VirtualServer> = {}): VirtualServer {
  return {
    protocol: 'tcp',
    address: ip(`10.96.0.${last}`),
    port: 80,
    scheduler: 'rr',
    persistentSeconds: undefined,
    hashesPort: false,
    ...change,
  };
}

function real(last: number, weight = 1): RealServer {
  return { address: ip(`10.244.1.${last}`), port: 8080, weight };
}

function actual({ server: of, reals }: WantedServer): ActualServer {
  return { server: { ...of, hasOtherOptions: false }, reals: reals.map(stateOf) };
}

function stateOf(of: RealServer): RealServerState {
  return { ...of, isNat: true, activeConnections: 5, inactiveConnections: 7, persistentConnections: 1 };
}

function plan(wanted: readonly WantedServer[], is: readonly ActualServer[]): readonly string[] {
  return planIpvs(ipvsMap(wanted), ipvsMap(is)).map(ipvsStepText);
}

describe('a plan', () => {
  test('adds and changes before it removes', () => {
    const wanted = [
      { server: server(1), reals: [real(2), real(3, 0)] },
      { server: server(2, { persistentSeconds: 60 }), reals: [real(1)] },
      { server: server(3), reals: [real(1)] },
    ];
    const is = [
      { server: server(9), reals: [real(1)] },
      { server: server(1), reals: [real(1), real(3)] },
      { server: server(2), reals: [] },
    ].map(actual);
    expect(plan(wanted, is)).toEqual([
      'ipvsadm -a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1',
      'ipvsadm -e -t 10.96.0.1:80 -r 10.244.1.3:8080 -m -w 0',
      'ipvsadm -E -t 10.96.0.2:80 -s rr -p 60',
      'ipvsadm -a -t 10.96.0.2:80 -r 10.244.1.1:8080 -m -w 1',
      'ipvsadm -A -t 10.96.0.3:80 -s rr',
      'ipvsadm -a -t 10.96.0.3:80 -r 10.244.1.1:8080 -m -w 1',
      'ipvsadm -d -t 10.96.0.1:80 -r 10.244.1.1:8080',
      'ipvsadm -D -t 10.96.0.9:80',
    ]);
  });

  test('is empty when all is as it should be, however many connections there are', () => {
    const wanted = [
      { server: server(1), reals: [real(2), real(3, 0)] },
      { server: server(2, { scheduler: 'mh', hashesPort: true, persistentSeconds: 9 }), reals: [real(2)] },
    ];
    expect(plan(wanted, wanted.map(actual))).toEqual([]);
    expect(plan([], [])).toEqual([]);
  });

  test.each<readonly [string, Partial<VirtualServer>, string]>([
    ['scheduler', { scheduler: 'lc' }, '-E -t 10.96.0.1:80 -s lc'],
    ['persistence', { persistentSeconds: 5 }, '-E -t 10.96.0.1:80 -s rr -p 5'],
    ['flag', { hashesPort: true }, '-E -t 10.96.0.1:80 -s rr -b flag-2'],
  ])('changes the %s', (_, change, text) => {
    const before = actual({ server: server(1), reals: [real(1)] });
    expect(plan([{ server: server(1, change), reals: [real(1)] }], [before])).toEqual([`ipvsadm ${text}`]);
  });

  test('takes away what others did', () => {
    const wanted = { server: server(1), reals: [real(1)] };
    const is: ActualServer = {
      server: { ...server(1), hasOtherOptions: true },
      reals: [{ ...stateOf(real(1)), isNat: false }],
    };
    expect(plan([wanted], [is])).toEqual([
      'ipvsadm -E -t 10.96.0.1:80 -s rr',
      'ipvsadm -e -t 10.96.0.1:80 -r 10.244.1.1:8080 -m -w 1',
    ]);
  });

  test('of a real server that is named twice takes the first', () => {
    const wanted = { server: server(1), reals: [real(1, 3), real(1, 4)] };
    expect(serverSteps(wanted, undefined).map(ipvsStepText)).toEqual([
      'ipvsadm -A -t 10.96.0.1:80 -s rr',
      'ipvsadm -a -t 10.96.0.1:80 -r 10.244.1.1:8080 -m -w 3',
    ]);
    const is = actual({ server: server(1), reals: [real(1, 3)] });
    expect(serverSteps(wanted, is)).toEqual([]);
  });

  test('tells protocols and ports apart', () => {
    const wanted = [
      { server: server(1, { protocol: 'udp' }), reals: [] },
      { server: server(1, { port: 81 }), reals: [] },
    ];
    expect(plan(wanted, [actual({ server: server(1), reals: [] })])).toEqual([
      'ipvsadm -A -u 10.96.0.1:80 -s rr',
      'ipvsadm -A -t 10.96.0.1:81 -s rr',
      'ipvsadm -D -t 10.96.0.1:80',
    ]);
  });
});
