// What every IPVS driver must do: run on the fake by kernel/ipvs/fake.test.ts and on the kernel by test/kernel/ipvs.test.ts.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { answers, disturbances, show, stateOf, states, stepsTo } from '../../kernel/ipvs/driver-cases.ts';
import type { IpvsAccess, IpvsStep } from '../../kernel/ipvs/objects.ts';

/** What went wrong with each step. */
export function failures(access: IpvsAccess, steps: readonly IpvsStep[]): readonly (string | undefined)[] {
  return access.apply(steps).map(({ error }) => error?.message);
}

/** Expects that all of it can be done. */
export function apply(access: IpvsAccess, steps: readonly IpvsStep[]): void {
  expect(failures(access, steps).filter((error) => error !== undefined)).toEqual([]);
}

/** From whatever is there to the state, which a second look finds unchanged. */
export function reconcile(access: IpvsAccess, name: string): void {
  const state = stateOf(name);
  apply(access, stepsTo(state, access));
  expect(show(access)).toEqual(state.shown);
  expect(stepsTo(state, access)).toEqual([]);
}

/** Each test gets an IPVS of its own, with nothing in it. */
export function ipvsDriverSuite(
  open: () => { readonly access: IpvsAccess; readonly close: () => void },
): void {
  let access: IpvsAccess;
  let close: () => void;
  beforeEach(() => {
    ({ access, close } = open());
  });
  afterEach(() => close());

  test.each(states.flatMap((from) => states.map((to) => [from.name, to.name] as const)))(
    'from "%s" to "%s"',
    (from, to) => {
      reconcile(access, from);
      reconcile(access, to);
    },
  );

  test.each(disturbances)('heals: $name', ({ to, steps }) => {
    reconcile(access, to);
    apply(access, steps);
    expect(show(access)).not.toEqual(stateOf(to).shown);
    reconcile(access, to);
  });

  test.each(answers)('$name', ({ steps, errors }) => {
    expect(failures(access, steps)).toEqual(errors);
  });

  test('reads one server, none, and slices', () => {
    reconcile(access, 'every protocol, both families, weights');
    // In which order a kernel gives them is chance.
    const servers = access.servers(4);
    expect(servers).toHaveLength(3);
    const server = servers.find(({ protocol }) => protocol === 'tcp');
    if (server === undefined) throw new TypeError('Cannot find a virtual server');
    expect(access.server(server)).toEqual(server);
    expect(access.server({ ...server, port: 1 })).toBeUndefined();
    expect(() => access.realServers({ ...server, port: 1 })).toThrow(
      /Cannot list real servers "tcp 10.96.0.1:1": no such process \(ESRCH\): there is no such virtual server/,
    );
    expect([...access.serverSlices(6)].flat()).toEqual(access.servers(6));
    expect([...access.serverSlices(6)].flat()).toHaveLength(3);
  });

  test('keeps timeouts that are not given', () => {
    expect(access.timeouts()).toEqual({ tcp: 900, tcpFin: 120, udp: 300 });
    access.setTimeouts({ tcp: 0, tcpFin: 30, udp: 0 });
    expect(access.timeouts()).toEqual({ tcp: 900, tcpFin: 30, udp: 300 });
    access.setTimeouts({ tcp: 1, tcpFin: 0, udp: 2 });
    expect(access.timeouts()).toEqual({ tcp: 1, tcpFin: 30, udp: 2 });
    expect(() => access.setTimeouts({ tcp: 4_000_000_000, tcpFin: 0, udp: 0 })).toThrow(
      /^Cannot set timeouts "IPVS": invalid argument \(EINVAL\)/,
    );
  });
}
