// What every WireGuard driver must do: run on the fake by kernel/wireguard/fake.test.ts and on the kernel by test/kernel/wireguard.test.ts.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { caseLink, disturbances, show, states, stepsTo } from '../../kernel/wireguard/driver-cases.ts';
import type { WireguardAccess, WireguardStep } from '../../kernel/wireguard/objects.ts';

function apply(access: WireguardAccess, steps: readonly WireguardStep[]): void {
  expect(access.apply(steps).flatMap(({ error }) => error?.message ?? [])).toEqual([]);
}

function stateOf(name: string) {
  const found = states.find((state) => state.name === name);
  if (found === undefined) throw new RangeError(`Cannot find state "${name}"`);
  return found;
}

/** From whatever is there to the state, which a second look finds unchanged. */
function reconcile(access: WireguardAccess, name: string): void {
  const state = stateOf(name);
  apply(access, stepsTo(state, access));
  expect(stepsTo(state, access)).toEqual([]);
}

/** Each test gets a WireGuard of its own, with the cases' link in it and no other. */
export function wireguardDriverSuite(
  open: () => { readonly access: WireguardAccess; readonly close: () => void },
): void {
  let access: WireguardAccess;
  let close: () => void;
  beforeEach(() => {
    ({ access, close } = open());
  });
  afterEach(() => close());

  test.each(states.flatMap((from) => states.map((to) => [from.name, to.name] as const)))(
    'from "%s" to "%s"',
    (from, to) => {
      reconcile(access, to);
      const shown = show(access);
      reconcile(access, from);
      reconcile(access, to);
      expect(show(access)).toEqual(shown);
    },
  );

  test.each(disturbances)('heals: $name', ({ to, steps }) => {
    reconcile(access, to);
    const shown = show(access);
    apply(access, steps);
    expect(show(access)).not.toEqual(shown);
    reconcile(access, to);
    expect(show(access)).toEqual(shown);
  });

  test('of a link that is not there nothing is read, and steps on it fail alone', () => {
    expect(access.read('nothing0')).toBeUndefined();
    const { device } = stateOf('no peers');
    const [first, second] = access.apply([
      { kind: 'device-set', link: 'nothing0', device },
      { kind: 'device-set', link: caseLink, device },
    ]);
    expect(first?.error?.message).toMatch(
      /^Cannot set WireGuard device "nothing0": no such device \(ENODEV\)/,
    );
    expect(second?.error).toBeUndefined();
    expect(access.read(caseLink)?.publicKey).toBeDefined();
  });
}
